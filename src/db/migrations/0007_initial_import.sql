ALTER TABLE "keyferry"."syncs" ADD COLUMN "initial_import_at" timestamp with time zone;--> statement-breakpoint
update keyferry.syncs set initial_import_at = now() where progress ->> 'isImported' = 'true';
