CREATE TABLE "keyferry"."installation" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"epoch" integer DEFAULT 1 NOT NULL,
	"counter" bigint DEFAULT 0 NOT NULL,
	"system_identifier" text,
	"database_name" text NOT NULL,
	"timeline" integer,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "keyferry"."tombstones" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"installation_id" uuid NOT NULL,
	"org_id" text NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"folder_id" uuid,
	"partition" text NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"service" text NOT NULL,
	"remote_name" text NOT NULL,
	"last_version" text,
	"access_key_ids" text[] DEFAULT '{}' NOT NULL,
	"document_keys" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tombstones_object" UNIQUE("partition","account_id","region","service","remote_name")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "installation_only" ON "keyferry"."installation" USING btree ((true));--> statement-breakpoint
CREATE INDEX "tombstones_by_age" ON "keyferry"."tombstones" USING btree ("created_at");