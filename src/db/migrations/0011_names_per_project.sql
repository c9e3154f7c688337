ALTER TABLE "keyferry"."connections" DROP CONSTRAINT "connections_org_name";--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" DROP CONSTRAINT "rotations_org_name";--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" DROP CONSTRAINT "syncs_org_name";--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD COLUMN "region" text;--> statement-breakpoint
CREATE UNIQUE INDEX "connections_org_name" ON "keyferry"."connections" USING btree ("org_id",coalesce("project_id", ''),"name");--> statement-breakpoint
CREATE UNIQUE INDEX "rotations_org_name" ON "keyferry"."rotations" USING btree ("org_id",coalesce("project_id", ''),"name");--> statement-breakpoint
CREATE INDEX "runs_imports_and_removals" ON "keyferry"."runs" USING btree ("subject_id","started_at") WHERE "keyferry"."runs"."kind" in ('import', 'remove');--> statement-breakpoint
CREATE UNIQUE INDEX "syncs_org_name" ON "keyferry"."syncs" USING btree ("org_id",coalesce("project_id", ''),"name");--> statement-breakpoint
UPDATE "keyferry"."syncs" s
SET "project_id" = f."project_id"
FROM "keyferry"."folders" f
WHERE f."id" = s."folder_id" AND s."project_id" IS DISTINCT FROM f."project_id";
