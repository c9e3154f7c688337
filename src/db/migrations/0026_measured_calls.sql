ALTER TABLE "keyferry"."call_budgets" ADD COLUMN "measured_calls" double precision DEFAULT 0 NOT NULL;--> statement-breakpoint
-- What was learned before is kept, as measured well.
UPDATE "keyferry"."call_budgets" SET "measured_calls" = 100 WHERE "ceiling_rate" IS NOT NULL;
