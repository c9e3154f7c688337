/**
 * Rows as a busy installation would have them, for the status page and the metrics: written by SQL,
 * since nothing runs here.
 */
import type postgres from 'postgres';

export interface Seeded {
  readonly validConnection: string;
  readonly invalidConnection: string;
  readonly partialSync: string;
  readonly blockedRotation: string;
}

const ids = {
  validConnection: '10000000-0000-4000-8000-000000000001',
  invalidConnection: '10000000-0000-4000-8000-000000000002',
  folder: '20000000-0000-4000-8000-000000000001',
  partialSync: '30000000-0000-4000-8000-000000000001',
  blockedRotation: '40000000-0000-4000-8000-000000000001',
} as const;

const checks = [
  {
    name: 'identity',
    verdict: 'pass',
    detail: 'Acts as arn:aws:sts::111122223333:assumed-role/keyferry/keyferry-prod.',
  },
  {
    name: 'external-id',
    verdict: 'pass',
    detail: 'AWS refuses the role without the external ID and with another one.',
  },
  {
    name: 'permission',
    subject: 'ssm:PutParameter',
    verdict: 'fail',
    code: 'AWS_ACCESS_DENIED',
    detail: 'AWS denied `ssm:PutParameter` on /app/prod/*.',
    fix: {
      advice: 'Add this statement to the role’s policy.',
      policy: {
        Effect: 'Allow',
        Action: ['ssm:PutParameter'],
        Resource: 'arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/*',
      },
    },
  },
  { name: 'kms-key', verdict: 'unknown', detail: 'Not probed: it cannot be without writing.' },
];

/** A handful of subjects in interesting states. */
export async function seedStates(sql: postgres.Sql): Promise<Seeded> {
  await sql`insert into keyferry.connections (id, org_id, name, method, role_arn, external_id,
    region, status, status_code, status_message, account_id, principal_arn, checks,
    last_validated_at, next_due_at, consecutive_failures) values
    (${ids.validConnection}, 'acme', 'prod-aws', 'assume-role',
      'arn:aws:iam::111122223333:role/keyferry', 'acme', 'eu-west-1', 'valid', null, null,
      '111122223333', 'arn:aws:sts::111122223333:assumed-role/keyferry/keyferry-prod',
      ${JSON.stringify(checks)}::text::jsonb, now() - interval '12 minutes',
      now() + interval '48 minutes', 0),
    (${ids.invalidConnection}, 'globex', 'billing', 'assume-role',
      'arn:aws:iam::444455556666:role/billing', 'globex', 'us-east-1', 'invalid',
      'CONNECTION_ACCESS_DENIED',
      'AWS refused AssumeRole on arn:aws:iam::444455556666:role/billing.', null, null, '[]',
      now() - interval '3 minutes', now() + interval '9 minutes', 4)`;
  await sql`insert into keyferry.folders (id, org_id, project_id, environment, secret_path,
    revision) values (${ids.folder}, 'acme', 'shop', 'prod', '/api', 7)`;
  await seedSync(sql);
  await seedRotation(sql);
  return ids;
}

async function seedSync(sql: postgres.Sql): Promise<void> {
  const config = { region: 'eu-west-1', path: '/app/prod/' };
  const options = {
    initialSyncBehavior: 'overwrite-destination',
    keySchema: 'APP_{{secretKey}}',
    disableSecretDeletion: false,
    syncSecretMetadataAsTags: false,
    onExisting: 'fail',
    drift: 'detect',
    tier: 'standard',
    recoveryDays: 7,
  };
  await sql`insert into keyferry.syncs (id, org_id, name, connection_id, folder_id, destination,
    destination_config, sync_options, sync_status, status_code, status_message, last_synced_at,
    synced_revision, drift, next_due_at) values
    (${ids.partialSync}, 'acme', 'prod-parameters', ${ids.validConnection}, ${ids.folder},
      'aws-parameter-store', ${JSON.stringify(config)}::text::jsonb,
      ${JSON.stringify(options)}::text::jsonb, 'partial', 'SYNC_PARTIAL',
      '2 of 25 entries were not synced.', now() - interval '2 hours', 6, 'drifted',
      now() + interval '20 minutes')`;
  await sql`insert into keyferry.sync_entries (sync_id, remote_name, key, connection_id, partition,
    account_id, region, service, status, error_code, error_message, written_at)
    select ${ids.partialSync}, '/app/prod/APP_KEY_' || n, 'KEY_' || n, ${ids.validConnection},
      'aws', '111122223333', 'eu-west-1', 'ssm',
      case when n = 3 then 'conflict' when n = 4 then 'failed' else 'synced' end,
      case when n = 3 then 'SYNC_CONFLICT' when n = 4 then 'SYNC_ENTRY_INVALID' end,
      case when n = 3 then '/app/prod/APP_KEY_3 exists and is not managed by this sync.' when n = 4
        then 'The value has 4,812 bytes; the standard tier takes 4,096.' end,
      now() - interval '2 hours' from generate_series(1, 25) n`;
  const plan = {
    changes: [{ action: 'create', key: 'KEY_26', remoteName: '/app/prod/APP_KEY_26', reason: 'new in the folder' }],
    unchanged: 25,
  };
  await sql`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, requested_by,
    status, started_at, finished_at, error_code, error_message, counts, aws_calls, result) values
    ('sync', ${ids.partialSync}, 'acme', 1, 'changed', null, 'partial', now() - interval '2 hours',
      now() - interval '119 minutes', 'SYNC_PARTIAL', '2 of 25 entries were not synced.',
      '{"created":23,"updated":0,"deleted":0,"unchanged":0,"adopted":0,"conflicts":1,"failed":1}',
      '{"ssm.PutParameter":24,"sts.AssumeRole":1}', null),
    ('plan', ${ids.partialSync}, 'acme', 1, 'requested', 'ci', 'succeeded',
      now() - interval '1 hour', now() - interval '59 minutes', null, null, null, '{}',
      ${JSON.stringify(plan)}::text::jsonb),
    ('validate', ${ids.invalidConnection}, 'globex', 1, 'scheduled', null, 'failed',
      now() - interval '3 minutes', now() - interval '2 minutes 59 seconds',
      'CONNECTION_ACCESS_DENIED',
      'AWS refused AssumeRole on arn:aws:iam::444455556666:role/billing.', null,
      '{"sts.AssumeRole":1}', null)`;
}

async function seedRotation(sql: postgres.Sql): Promise<void> {
  await sql`insert into keyferry.rotations (id, org_id, name, connection_id, folder_id, user_name,
    account_id, secrets_mapping, rotation_interval_days, rotate_at_utc, grace, quiet_seconds,
    hold_seconds, phase, phase_entered_at, rotation_status, status_code, status_message,
    active_access_key_id, last_rotated_at, next_rotation_at, next_due_at) values
    (${ids.blockedRotation}, 'acme', 'ci-deployer', ${ids.validConnection}, ${ids.folder},
      'ci-deployer', '111122223333',
      '{"accessKeyId":"AWS_ACCESS_KEY_ID","secretAccessKey":"AWS_SECRET_ACCESS_KEY"}', 30,
      '{"hours":3,"minutes":15}', interval '24 hours', 86400, 604800, 'publishing',
      now() - interval '70 minutes', 'blocked', 'KEY_DEPENDENTS_WAITING',
      'prod-parameters has not written the new key for an hour.', 'AKIAEXAMPLENEW000001',
      now() - interval '30 days', now() - interval '75 minutes', null)`;
  await sql`insert into keyferry.rotation_keys (rotation_id, access_key_id, state, created_at,
    last_used_at, retire_after) values
    (${ids.blockedRotation}, 'AKIAEXAMPLENEW000001', 'active', now() - interval '75 minutes', null,
      null),
    (${ids.blockedRotation}, 'AKIAEXAMPLEOLD000001', 'retiring', now() - interval '30 days',
      now() - interval '8 minutes', now() + interval '1 day')`;
  await sql`insert into keyferry.rotation_steps (rotation_id, at, phase, step, access_key_id,
    detail) values
    (${ids.blockedRotation}, now() - interval '75 minutes', 'creating', 'key created',
      'AKIAEXAMPLENEW000001', null),
    (${ids.blockedRotation}, now() - interval '74 minutes', 'verifying',
      'key answered for the right user', 'AKIAEXAMPLENEW000001', '3 times in a row'),
    (${ids.blockedRotation}, now() - interval '70 minutes', 'publishing', 'written into the folder',
      null, 'revision 7')`;
}

/** Many healthy syncs over many orgs, for the page's speed. */
export async function seedManySyncs(sql: postgres.Sql, count: number): Promise<void> {
  await sql`insert into keyferry.connections (org_id, name, method, role_arn, external_id, status,
    account_id, last_validated_at, next_due_at)
    select 'org-' || n, 'aws', 'assume-role', 'arn:aws:iam::111122223333:role/keyferry',
      'org-' || n, 'valid', lpad(n::text, 12, '0'), now(), now() + interval '1 hour'
    from generate_series(1, 100) n`;
  await sql`insert into keyferry.folders (org_id, project_id, environment, secret_path)
    select 'org-' || n, 'shop', 'prod', '/' from generate_series(1, 100) n`;
  await sql`insert into keyferry.syncs (org_id, name, connection_id, folder_id, destination,
    destination_config, sync_options, sync_status, status_code, status_message, last_synced_at,
    synced_revision, drift, next_due_at)
    select c.org_id, 'sync-' || n, c.id, f.id, 'aws-parameter-store',
      jsonb_build_object('region', 'eu-west-1', 'path', '/app/' || n || '/'),
      '{"initialSyncBehavior":"overwrite-destination"}',
      case when n % 97 = 0 then 'failed' when n % 31 = 0 then 'partial' when n % 200 = 1
        then 'running' else 'succeeded' end,
      case when n % 97 = 0 then 'AWS_ACCESS_DENIED' when n % 31 = 0 then 'SYNC_PARTIAL' end,
      case when n % 97 = 0 then 'AWS denied ssm:PutParameter.' when n % 31 = 0
        then '1 of 40 entries was not synced.' end,
      now() - n * interval '1 second', 1, case when n % 500 = 3 then 'drifted' else 'none' end,
      now() + n * interval '1 second'
    from generate_series(1, ${count}) n
    join keyferry.connections c on c.org_id = 'org-' || (n % 100 + 1)
    join keyferry.folders f on f.org_id = c.org_id`;
  await sql`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status,
    started_at, finished_at, counts, aws_calls)
    select 'sync', s.id, s.org_id, 1, 'scheduled',
      case when s.sync_status in ('failed', 'partial') then s.sync_status else 'succeeded' end,
      now() - n * interval '7 minutes', now() - n * interval '7 minutes' + interval '2 seconds',
      '{"created":0,"updated":1,"deleted":0,"unchanged":39,"adopted":0,"conflicts":0,"failed":0}',
      '{"ssm.PutParameter":1}'
    from keyferry.syncs s, generate_series(1, 10) n`;
  await sql`analyze`;
}
