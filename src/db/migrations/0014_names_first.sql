DROP INDEX "keyferry"."connections_org_name";--> statement-breakpoint
DROP INDEX "keyferry"."rotations_org_name";--> statement-breakpoint
DROP INDEX "keyferry"."syncs_org_name";--> statement-breakpoint
CREATE UNIQUE INDEX "connections_org_name" ON "keyferry"."connections" USING btree ("org_id","name",coalesce("project_id", ''));--> statement-breakpoint
CREATE UNIQUE INDEX "rotations_org_name" ON "keyferry"."rotations" USING btree ("org_id","name",coalesce("project_id", ''));--> statement-breakpoint
CREATE UNIQUE INDEX "syncs_org_name" ON "keyferry"."syncs" USING btree ("org_id","name",coalesce("project_id", ''));