ALTER TABLE "keyferry"."connections" ADD COLUMN "claimed_due_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "claimed_due_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "claimed_due_at" timestamp with time zone;