ALTER TABLE "keyferry"."connections" ADD COLUMN "candidate" jsonb;--> statement-breakpoint
ALTER TABLE "keyferry"."connections" ADD COLUMN "candidate_secret" text;--> statement-breakpoint
ALTER TABLE "keyferry"."connections" ADD COLUMN "external_id_exception" jsonb;