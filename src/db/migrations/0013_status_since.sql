DROP INDEX "keyferry"."connections_troubled";--> statement-breakpoint
DROP INDEX "keyferry"."rotations_troubled";--> statement-breakpoint
DROP INDEX "keyferry"."syncs_troubled";--> statement-breakpoint
ALTER TABLE "keyferry"."connections" ADD COLUMN "status_since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."connections" ADD COLUMN "dated_status" text;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "status_since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "dated_status" text;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "status_since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD COLUMN "dated_status" text;--> statement-breakpoint
CREATE INDEX "connections_troubled" ON "keyferry"."connections" USING btree ("status_since") WHERE "keyferry"."connections"."is_troubled";--> statement-breakpoint
CREATE INDEX "rotations_troubled" ON "keyferry"."rotations" USING btree ("status_since") WHERE "keyferry"."rotations"."is_troubled";--> statement-breakpoint
CREATE INDEX "syncs_troubled" ON "keyferry"."syncs" USING btree ("status_since") WHERE "keyferry"."syncs"."is_troubled";--> statement-breakpoint
UPDATE "keyferry"."connections" SET
  "status_since" = "updated_at",
  "dated_status" = CASE WHEN "status" <> 'pending' THEN "status" END;--> statement-breakpoint
UPDATE "keyferry"."rotations" SET
  "status_since" = "updated_at",
  "dated_status" = CASE WHEN "rotation_status" NOT IN ('pending', 'running') THEN "rotation_status" END;--> statement-breakpoint
UPDATE "keyferry"."syncs" SET
  "status_since" = "updated_at",
  "dated_status" = CASE
    WHEN "sync_status" = 'succeeded' AND "drift" = 'drifted' THEN 'drifted'
    WHEN "sync_status" NOT IN ('pending', 'running') THEN "sync_status"
  END;--> statement-breakpoint
-- A status that returns after a run is the same status: only another one sets a new date. A trigger,
-- because a dozen statements set a status, and workers of the previous release set it, too.
CREATE FUNCTION "keyferry"."date_status"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  settled text;
BEGIN
  IF TG_TABLE_NAME = 'connections' THEN
    settled := NEW.status;
  ELSIF TG_TABLE_NAME = 'rotations' THEN
    settled := NEW.rotation_status;
  ELSIF NEW.sync_status = 'succeeded' AND NEW.drift = 'drifted' THEN
    settled := 'drifted';
  ELSE
    settled := NEW.sync_status;
  END IF;
  IF settled NOT IN ('pending', 'running') AND settled IS DISTINCT FROM NEW.dated_status THEN
    NEW.dated_status := settled;
    NEW.status_since := now();
  END IF;
  RETURN NEW;
END $$;--> statement-breakpoint
CREATE TRIGGER "connections_date_status" BEFORE UPDATE OF "status" ON "keyferry"."connections"
  FOR EACH ROW EXECUTE FUNCTION "keyferry"."date_status"();--> statement-breakpoint
CREATE TRIGGER "rotations_date_status" BEFORE UPDATE OF "rotation_status" ON "keyferry"."rotations"
  FOR EACH ROW EXECUTE FUNCTION "keyferry"."date_status"();--> statement-breakpoint
CREATE TRIGGER "syncs_date_status" BEFORE UPDATE OF "sync_status", "drift" ON "keyferry"."syncs"
  FOR EACH ROW EXECUTE FUNCTION "keyferry"."date_status"();
