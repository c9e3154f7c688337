-- Most updates leave a status as it is, or begin or end a run that changes nothing: they no longer
-- enter the trigger's function, which costs more than the test. The function stays as it is.
DROP TRIGGER "connections_date_status" ON "keyferry"."connections";--> statement-breakpoint
CREATE TRIGGER "connections_date_status" BEFORE UPDATE OF "status" ON "keyferry"."connections"
  FOR EACH ROW WHEN (NEW."status" IS DISTINCT FROM NEW."dated_status")
  EXECUTE FUNCTION "keyferry"."date_status"();--> statement-breakpoint
DROP TRIGGER "rotations_date_status" ON "keyferry"."rotations";--> statement-breakpoint
CREATE TRIGGER "rotations_date_status" BEFORE UPDATE OF "rotation_status" ON "keyferry"."rotations"
  FOR EACH ROW WHEN (
    NEW."rotation_status" NOT IN ('pending', 'running')
    AND NEW."rotation_status" IS DISTINCT FROM NEW."dated_status")
  EXECUTE FUNCTION "keyferry"."date_status"();--> statement-breakpoint
DROP TRIGGER "syncs_date_status" ON "keyferry"."syncs";--> statement-breakpoint
CREATE TRIGGER "syncs_date_status" BEFORE UPDATE OF "sync_status", "drift" ON "keyferry"."syncs"
  FOR EACH ROW WHEN (
    NEW."sync_status" NOT IN ('pending', 'running')
    AND (NEW."sync_status" IS DISTINCT FROM NEW."dated_status" OR NEW."drift" = 'drifted'))
  EXECUTE FUNCTION "keyferry"."date_status"();
