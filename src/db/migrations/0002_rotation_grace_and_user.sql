DROP INDEX "keyferry"."rotations_user";--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "grace_seconds" integer GENERATED ALWAYS AS (extract(epoch from grace)::integer) STORED NOT NULL;--> statement-breakpoint
-- Rotations of one IAM user whose names differ by case: the oldest stays, the others wait for a person.
UPDATE "keyferry"."rotations" r SET
  account_id = null,
  paused_at = coalesce(r.paused_at, now()),
  next_due_at = null,
  rotation_status = 'blocked',
  status_code = 'KEY_USER_TAKEN',
  status_message = 'Another rotation manages this IAM user: IAM does not distinguish names by case. Delete one of the two.'
WHERE EXISTS (
  SELECT 1 FROM "keyferry"."rotations" o
  WHERE o.account_id = r.account_id AND lower(o.user_name) = lower(r.user_name)
    AND (o.created_at, o.id) < (r.created_at, r.id)
);--> statement-breakpoint
CREATE UNIQUE INDEX "rotations_user" ON "keyferry"."rotations" USING btree ("account_id",lower("user_name"));