CREATE SCHEMA IF NOT EXISTS "keyferry";
--> statement-breakpoint
CREATE TABLE "keyferry"."call_budgets" (
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"quota_group" text NOT NULL,
	"rate_per_second" double precision NOT NULL,
	"ceiling_rate" double precision,
	"burst" double precision NOT NULL,
	"tokens" double precision NOT NULL,
	"refilled_at" timestamp with time zone DEFAULT now() NOT NULL,
	"throttled_at" timestamp with time zone,
	"window_started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"window_granted" double precision NOT NULL,
	CONSTRAINT "call_budgets_account_id_region_quota_group_pk" PRIMARY KEY("account_id","region","quota_group")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."connections" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"name" text NOT NULL,
	"method" text NOT NULL,
	"role_arn" text,
	"external_id" text,
	"access_key_id" text,
	"secret_access_key" text,
	"credentials_revision" integer DEFAULT 1 NOT NULL,
	"region" text,
	"created_via" text DEFAULT 'operator' NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"status_code" text,
	"status_message" text,
	"account_id" text,
	"principal_arn" text,
	"checks" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"last_validated_at" timestamp with time zone,
	"next_validation_at" timestamp with time zone,
	"external_id_probed_at" timestamp with time zone,
	"consecutive_failures" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"is_troubled" boolean GENERATED ALWAYS AS (status in ('invalid', 'degraded')) STORED,
	"description" text,
	"project_id" text,
	"version" integer DEFAULT 1 NOT NULL,
	"next_due_at" timestamp with time zone,
	"wanted_revision" bigint DEFAULT 1 NOT NULL,
	"done_revision" bigint DEFAULT 0 NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"due_reason" text DEFAULT 'scheduled' NOT NULL,
	"due_requested_by" text,
	"due_traceparent" text,
	"dispatch_lease_until" timestamp with time zone,
	"run_lease_until" timestamp with time zone,
	"run_token" uuid,
	"is_in_flight" boolean GENERATED ALWAYS AS (dispatch_lease_until is not null or run_lease_until is not null) STORED,
	CONSTRAINT "connections_org_name" UNIQUE("org_id","name"),
	CONSTRAINT "connections_org_id" UNIQUE("org_id","id")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."folders" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"project_id" text NOT NULL,
	"environment" text NOT NULL,
	"secret_path" text NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "folders_place" UNIQUE("org_id","project_id","environment","secret_path"),
	CONSTRAINT "folders_org_id" UNIQUE("org_id","id")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."orgs" (
	"id" text PRIMARY KEY NOT NULL,
	"fingerprint_key" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "keyferry"."requests" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"parameters" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"actor" text,
	"reason" text DEFAULT 'requested' NOT NULL,
	"source_queue" text,
	"source_job_id" text,
	"source_timestamp" bigint,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"done_at" timestamp with time zone,
	"run_id" uuid,
	CONSTRAINT "requests_source" UNIQUE("source_queue","source_job_id","source_timestamp")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."rotation_keys" (
	"rotation_id" uuid NOT NULL,
	"access_key_id" text NOT NULL,
	"state" text NOT NULL,
	"secret" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	"retire_after" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "rotation_keys_rotation_id_access_key_id_pk" PRIMARY KEY("rotation_id","access_key_id")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."rotation_steps" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "keyferry"."rotation_steps_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"rotation_id" uuid NOT NULL,
	"run_id" uuid,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"phase" text NOT NULL,
	"step" text NOT NULL,
	"access_key_id" text,
	"detail" text
);
--> statement-breakpoint
CREATE TABLE "keyferry"."rotations" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"name" text NOT NULL,
	"connection_id" uuid NOT NULL,
	"folder_id" uuid NOT NULL,
	"user_name" text NOT NULL,
	"user_id" text,
	"account_id" text,
	"secrets_mapping" jsonb NOT NULL,
	"rotation_interval_days" integer NOT NULL,
	"rotate_at_utc" jsonb NOT NULL,
	"grace" interval NOT NULL,
	"quiet_seconds" integer NOT NULL,
	"hold_seconds" integer NOT NULL,
	"is_auto_rotation_enabled" boolean DEFAULT true NOT NULL,
	"phase" text DEFAULT 'idle' NOT NULL,
	"phase_state" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"phase_entered_at" timestamp with time zone DEFAULT now() NOT NULL,
	"rotation_status" text DEFAULT 'pending' NOT NULL,
	"status_code" text,
	"status_message" text,
	"active_access_key_id" text,
	"last_rotated_at" timestamp with time zone,
	"next_rotation_at" timestamp with time zone,
	"paused_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"is_troubled" boolean GENERATED ALWAYS AS (rotation_status in ('failed', 'blocked')) STORED,
	"description" text,
	"project_id" text,
	"version" integer DEFAULT 1 NOT NULL,
	"next_due_at" timestamp with time zone,
	"wanted_revision" bigint DEFAULT 1 NOT NULL,
	"done_revision" bigint DEFAULT 0 NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"due_reason" text DEFAULT 'scheduled' NOT NULL,
	"due_requested_by" text,
	"due_traceparent" text,
	"dispatch_lease_until" timestamp with time zone,
	"run_lease_until" timestamp with time zone,
	"run_token" uuid,
	"is_in_flight" boolean GENERATED ALWAYS AS (dispatch_lease_until is not null or run_lease_until is not null) STORED,
	CONSTRAINT "rotations_org_name" UNIQUE("org_id","name")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."runs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"org_id" text NOT NULL,
	"job_id" text,
	"attempt" integer NOT NULL,
	"reason" text NOT NULL,
	"requested_by" text,
	"status" text NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	"error_code" text,
	"error_message" text,
	"counts" jsonb,
	"aws_calls" jsonb,
	"result" jsonb,
	"repeats" integer,
	"first_started_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "keyferry"."secrets" (
	"folder_id" uuid NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	"revision" bigint NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"managed_by" uuid,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "secrets_folder_id_key_pk" PRIMARY KEY("folder_id","key")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."sync_entries" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"sync_id" uuid NOT NULL,
	"remote_name" text NOT NULL,
	"key" text NOT NULL,
	"connection_id" uuid NOT NULL,
	"folder_id" uuid,
	"partition" text NOT NULL,
	"account_id" text NOT NULL,
	"region" text NOT NULL,
	"service" text NOT NULL,
	"is_claim" boolean DEFAULT true NOT NULL,
	"remote_version" text,
	"fingerprint" text,
	"in_flight" jsonb,
	"status" text NOT NULL,
	"error_code" text,
	"error_message" text,
	"settings" jsonb DEFAULT '{"keyId":null,"tags":{}}'::jsonb NOT NULL,
	"observed" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"drift" text,
	"checked_at" timestamp with time zone,
	"tags_checked_at" timestamp with time zone,
	"pace" jsonb,
	"written_at" timestamp with time zone,
	"deleted_at" timestamp with time zone,
	"synced_revision" bigint,
	CONSTRAINT "sync_entries_name" UNIQUE("sync_id","region","account_id","remote_name","key")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."syncs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"org_id" text NOT NULL,
	"name" text NOT NULL,
	"connection_id" uuid NOT NULL,
	"folder_id" uuid NOT NULL,
	"destination" text NOT NULL,
	"destination_config" jsonb NOT NULL,
	"sync_options" jsonb NOT NULL,
	"is_auto_sync_enabled" boolean DEFAULT true NOT NULL,
	"sync_status" text DEFAULT 'pending' NOT NULL,
	"status_code" text,
	"status_message" text,
	"last_run_id" uuid,
	"last_synced_at" timestamp with time zone,
	"synced_revision" bigint,
	"synced_version" integer,
	"progress" jsonb,
	"drift" text DEFAULT 'unknown' NOT NULL,
	"last_checked_at" timestamp with time zone,
	"next_reconcile_at" timestamp with time zone,
	"paused_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"is_troubled" boolean GENERATED ALWAYS AS (sync_status in ('failed', 'blocked', 'partial') or drift = 'drifted') STORED,
	"description" text,
	"project_id" text,
	"version" integer DEFAULT 1 NOT NULL,
	"next_due_at" timestamp with time zone,
	"wanted_revision" bigint DEFAULT 1 NOT NULL,
	"done_revision" bigint DEFAULT 0 NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"due_reason" text DEFAULT 'scheduled' NOT NULL,
	"due_requested_by" text,
	"due_traceparent" text,
	"dispatch_lease_until" timestamp with time zone,
	"run_lease_until" timestamp with time zone,
	"run_token" uuid,
	"is_in_flight" boolean GENERATED ALWAYS AS (dispatch_lease_until is not null or run_lease_until is not null) STORED,
	CONSTRAINT "syncs_org_name" UNIQUE("org_id","name")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "keyferry"."audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"org_id" text,
	"actor" text NOT NULL,
	"via" text NOT NULL,
	"action" text NOT NULL,
	"subject" text,
	"request_id" text NOT NULL,
	"status_code" integer
);
--> statement-breakpoint
CREATE TABLE "keyferry"."idempotency_keys" (
	"org_id" text NOT NULL,
	"actor" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"status_code" integer,
	"response" text,
	CONSTRAINT "idempotency_keys_org_id_actor_key_pk" PRIMARY KEY("org_id","actor","key")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."notification_states" (
	"subject_id" uuid NOT NULL,
	"topic" text NOT NULL,
	"state" text NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "notification_states_subject_id_topic_pk" PRIMARY KEY("subject_id","topic")
);
--> statement-breakpoint
CREATE TABLE "keyferry"."notifications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"event" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"payload" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone DEFAULT now(),
	"delivered_at" timestamp with time zone,
	"last_error" text
);
--> statement-breakpoint
ALTER TABLE "keyferry"."rotation_keys" ADD CONSTRAINT "rotation_keys_rotation_id_rotations_id_fk" FOREIGN KEY ("rotation_id") REFERENCES "keyferry"."rotations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."rotation_steps" ADD CONSTRAINT "rotation_steps_rotation_id_rotations_id_fk" FOREIGN KEY ("rotation_id") REFERENCES "keyferry"."rotations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD CONSTRAINT "rotations_connection" FOREIGN KEY ("org_id","connection_id") REFERENCES "keyferry"."connections"("org_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."rotations" ADD CONSTRAINT "rotations_folder" FOREIGN KEY ("org_id","folder_id") REFERENCES "keyferry"."folders"("org_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."secrets" ADD CONSTRAINT "secrets_folder_id_folders_id_fk" FOREIGN KEY ("folder_id") REFERENCES "keyferry"."folders"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."sync_entries" ADD CONSTRAINT "sync_entries_sync_id_syncs_id_fk" FOREIGN KEY ("sync_id") REFERENCES "keyferry"."syncs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD CONSTRAINT "syncs_connection" FOREIGN KEY ("org_id","connection_id") REFERENCES "keyferry"."connections"("org_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "keyferry"."syncs" ADD CONSTRAINT "syncs_folder" FOREIGN KEY ("org_id","folder_id") REFERENCES "keyferry"."folders"("org_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "connections_troubled" ON "keyferry"."connections" USING btree ("updated_at") WHERE "keyferry"."connections"."is_troubled";--> statement-breakpoint
CREATE INDEX "connections_due" ON "keyferry"."connections" USING btree ("next_due_at") WHERE "keyferry"."connections"."next_due_at" is not null;--> statement-breakpoint
CREATE INDEX "connections_in_flight" ON "keyferry"."connections" USING btree ("id") WHERE "keyferry"."connections"."is_in_flight";--> statement-breakpoint
CREATE INDEX "requests_open" ON "keyferry"."requests" USING btree ("subject_id","created_at") WHERE "keyferry"."requests"."done_at" is null;--> statement-breakpoint
CREATE INDEX "requests_answered" ON "keyferry"."requests" USING btree ("done_at") WHERE "keyferry"."requests"."done_at" is not null;--> statement-breakpoint
CREATE INDEX "rotation_steps_by_rotation" ON "keyferry"."rotation_steps" USING btree ("rotation_id","id");--> statement-breakpoint
CREATE INDEX "rotations_troubled" ON "keyferry"."rotations" USING btree ("updated_at") WHERE "keyferry"."rotations"."is_troubled";--> statement-breakpoint
CREATE UNIQUE INDEX "rotations_user" ON "keyferry"."rotations" USING btree ("account_id","user_name");--> statement-breakpoint
CREATE INDEX "rotations_by_connection" ON "keyferry"."rotations" USING btree ("connection_id");--> statement-breakpoint
CREATE INDEX "rotations_due" ON "keyferry"."rotations" USING btree ("next_due_at") WHERE "keyferry"."rotations"."next_due_at" is not null;--> statement-breakpoint
CREATE INDEX "rotations_in_flight" ON "keyferry"."rotations" USING btree ("id") WHERE "keyferry"."rotations"."is_in_flight";--> statement-breakpoint
CREATE INDEX "runs_by_subject" ON "keyferry"."runs" USING btree ("subject_id","started_at");--> statement-breakpoint
CREATE INDEX "runs_running" ON "keyferry"."runs" USING btree ("subject_id") WHERE "keyferry"."runs"."status" = 'running';--> statement-breakpoint
CREATE INDEX "runs_by_start" ON "keyferry"."runs" USING btree ("started_at");--> statement-breakpoint
CREATE UNIQUE INDEX "sync_entries_claim" ON "keyferry"."sync_entries" USING btree ("partition","account_id","region","service","remote_name") WHERE "keyferry"."sync_entries"."is_claim" and "keyferry"."sync_entries"."deleted_at" is null and "keyferry"."sync_entries"."status" in ('synced', 'failed');--> statement-breakpoint
CREATE INDEX "syncs_troubled" ON "keyferry"."syncs" USING btree ("updated_at") WHERE "keyferry"."syncs"."is_troubled";--> statement-breakpoint
CREATE INDEX "syncs_by_folder" ON "keyferry"."syncs" USING btree ("folder_id");--> statement-breakpoint
CREATE INDEX "syncs_by_connection" ON "keyferry"."syncs" USING btree ("connection_id");--> statement-breakpoint
CREATE INDEX "syncs_due" ON "keyferry"."syncs" USING btree ("next_due_at") WHERE "keyferry"."syncs"."next_due_at" is not null;--> statement-breakpoint
CREATE INDEX "syncs_in_flight" ON "keyferry"."syncs" USING btree ("id") WHERE "keyferry"."syncs"."is_in_flight";--> statement-breakpoint
CREATE INDEX "audit_log_by_org" ON "keyferry"."audit_log" USING btree ("org_id","at");--> statement-breakpoint
CREATE INDEX "audit_log_by_request" ON "keyferry"."audit_log" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "audit_log_by_age" ON "keyferry"."audit_log" USING btree ("at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_by_age" ON "keyferry"."idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "notifications_due" ON "keyferry"."notifications" USING btree ("next_attempt_at") WHERE "keyferry"."notifications"."next_attempt_at" is not null;