CREATE TABLE "keyferry"."access_tokens" (
	"sha256" text PRIMARY KEY NOT NULL,
	"identity_id" uuid,
	"caller" jsonb,
	"expires_at" timestamp with time zone NOT NULL,
	"renewable_until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "keyferry"."identities" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"name" text NOT NULL,
	"secret_sha256" text NOT NULL,
	"scope" text NOT NULL,
	"projects" jsonb,
	"on_existing" text DEFAULT 'fail' NOT NULL,
	"expires_at" timestamp with time zone,
	"secret_changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "identities_org_name" UNIQUE("org_id","name")
);
--> statement-breakpoint
ALTER TABLE "keyferry"."access_tokens" ADD CONSTRAINT "access_tokens_identity_id_identities_id_fk" FOREIGN KEY ("identity_id") REFERENCES "keyferry"."identities"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "access_tokens_by_identity" ON "keyferry"."access_tokens" USING btree ("identity_id");--> statement-breakpoint
CREATE INDEX "access_tokens_by_expiry" ON "keyferry"."access_tokens" USING btree ("expires_at");