ALTER TABLE "keyferry"."requests" ADD COLUMN "status" text GENERATED ALWAYS AS (case when done_at is null then 'open' when run_id is null then 'cancelled' else 'answered' end) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."runs" ADD COLUMN "progress" jsonb;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "cancelled_run_id" uuid;