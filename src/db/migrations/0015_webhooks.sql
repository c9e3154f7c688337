CREATE TABLE "keyferry"."webhooks" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"name" text NOT NULL,
	"origin" text NOT NULL,
	"target" text NOT NULL,
	"format" text NOT NULL,
	"events" jsonb,
	"name_pattern" text,
	"failures" integer DEFAULT 0 NOT NULL,
	"retry_at" timestamp with time zone,
	"last_error" text,
	"last_delivered_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "webhooks_org_name" UNIQUE("org_id","name")
);
--> statement-breakpoint
ALTER TABLE "keyferry"."sync_entries" ADD COLUMN "is_told" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."notifications" ADD COLUMN "seq" bigint NOT NULL GENERATED ALWAYS AS IDENTITY (sequence name "keyferry"."notifications_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1);--> statement-breakpoint
ALTER TABLE "keyferry"."notifications" ADD COLUMN "webhook_id" uuid;--> statement-breakpoint
ALTER TABLE "keyferry"."notifications" ADD COLUMN "queued_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."notifications" ADD COLUMN "parked_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "sync_entries_untold" ON "keyferry"."sync_entries" USING btree ("sync_id") WHERE not "keyferry"."sync_entries"."is_told";--> statement-breakpoint
CREATE INDEX "notifications_pending" ON "keyferry"."notifications" USING btree ("subject_id","seq") WHERE "keyferry"."notifications"."next_attempt_at" is not null;--> statement-breakpoint
CREATE INDEX "notifications_queue" ON "keyferry"."notifications" USING btree ("webhook_id","seq") WHERE "keyferry"."notifications"."next_attempt_at" is not null;--> statement-breakpoint
CREATE INDEX "notifications_by_webhook" ON "keyferry"."notifications" USING btree ("webhook_id","seq");--> statement-breakpoint
CREATE INDEX "notifications_parked" ON "keyferry"."notifications" USING btree ("webhook_id") WHERE "keyferry"."notifications"."parked_at" is not null;