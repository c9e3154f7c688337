ALTER TABLE "keyferry"."installation" ALTER COLUMN "database_name" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "compared_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "compared_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."installation" ADD COLUMN "name" text;--> statement-breakpoint
ALTER TABLE "keyferry"."installation" ADD COLUMN "epoch_started_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."installation" ADD COLUMN "seen_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "keyferry"."installation" ADD COLUMN "guard_reason" text;--> statement-breakpoint
ALTER TABLE "keyferry"."installation" ADD COLUMN "guarded_at" timestamp with time zone;