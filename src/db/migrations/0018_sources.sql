CREATE TABLE "keyferry"."sources" (
	"folder_id" uuid PRIMARY KEY NOT NULL,
	"org_id" text NOT NULL,
	"kind" text NOT NULL,
	"config" jsonb NOT NULL,
	"target" text NOT NULL,
	"every_seconds" integer NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"status_code" text,
	"status_message" text,
	"status_since" timestamp with time zone DEFAULT now() NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"etag" text,
	"pulled_revision" bigint,
	"last_pulled_at" timestamp with time zone,
	"skipped_keys" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"next_due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"asked" bigint DEFAULT 1 NOT NULL,
	"answered" bigint DEFAULT 0 NOT NULL,
	"confirmed_deletions" integer,
	"lease_token" uuid,
	"lease_until" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "keyferry"."sources" ADD CONSTRAINT "sources_folder" FOREIGN KEY ("org_id","folder_id") REFERENCES "keyferry"."folders"("org_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "sources_due" ON "keyferry"."sources" USING btree ("next_due_at");