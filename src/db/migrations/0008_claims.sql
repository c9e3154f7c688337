ALTER TABLE "keyferry"."connections" ADD COLUMN "claims" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "claims" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "claims" bigint DEFAULT 0 NOT NULL;