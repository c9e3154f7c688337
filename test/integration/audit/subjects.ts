/**
 * Objects to change, made by a client that leaves no rows: what the audit suites count is theirs
 * alone.
 */
import { sql } from 'drizzle-orm';

import { createClient } from '../../../src/client/client.ts';
import type { OpenStores } from '../../../src/stores.ts';
import type { Client } from '../../../src/client/types/client.ts';

export const ORG = 'acme';

export interface Subjects {
  readonly connection: string;
  readonly sync: string;
  readonly rotation: string;
  readonly webhook: string;
  readonly place: { readonly projectId: string; readonly environment: string; readonly secretPath: string };
  /** Another folder, which has a source. */
  readonly sourced: Subjects['place'];
  readonly unique: string;
}

let made = 0;

export const roleArn = 'arn:aws:iam::444455556666:role/keyferry';

export async function createSubjects(stores: OpenStores): Promise<Subjects> {
  const client = createClient(stores, { orgId: ORG, name: 'scene' });
  made += 1;
  const unique = `n${String(made)}`;
  const place = { projectId: 'shop', environment: 'prod', secretPath: `/${unique}` };
  const sourced = { ...place, secretPath: `/${unique}-sourced` };
  await client.secrets.set(place, { values: { A: 'a' } });
  await client.sources.set(sourced, { kind: 'http', url: 'https://secrets.example.com/', token: null });
  const { connection } = await client.connections.create({
    name: `${unique}-c`,
    credentials: { method: 'assume-role', roleArn },
  });
  const sync = await client.syncs.create(newSync(`${unique}-s`, { connection: connection.id, place }));
  const rotation = await client.rotations.create(newRotation(`${unique}-r`, connection.id));
  const { webhook } = await client.webhooks.create({ name: `${unique}-w`, url: 'https://hooks.example.com/' });
  // As after a rotation whose old key is in its hold.
  await stores.database.db.execute(sql`update keyferry.rotations set phase = 'hold'
    where id = ${rotation.id}`);
  const ids = { connection: connection.id, sync: sync.id, rotation: rotation.id, webhook: webhook.id };
  return { ...ids, place, sourced, unique };
}

export function newSync(
  name: string,
  { connection, place }: { readonly connection: string; readonly place: Subjects['place'] },
): Parameters<Client['syncs']['create']>[0] {
  return {
    name,
    connection,
    source: place,
    destination: 'aws-parameter-store',
    destinationConfig: { region: 'eu-west-1', path: `/${name}/` },
  };
}

export function newRotation(name: string, connection: string): Parameters<Client['rotations']['create']>[0] {
  return {
    name,
    connection,
    target: { projectId: 'shop', environment: 'prod', secretPath: `/${name}` },
    userName: name,
    rotationIntervalDays: 30,
    secretsMapping: { accessKeyId: 'ID', secretAccessKey: 'SECRET' },
  };
}

export interface AuditRow {
  readonly orgId: string | null;
  readonly actor: string;
  readonly via: string;
  readonly action: string;
  readonly subject: string | null;
  readonly statusCode: number | null;
}

/** Newer than `since`, oldest first. */
export async function rowsSince(stores: OpenStores, since: number): Promise<readonly AuditRow[]> {
  const rows = await stores.database.db.execute(sql`
    select org_id as "orgId", actor, via, action, subject, status_code as "statusCode"
    from keyferry.audit_log where id > ${since} order by id`);
  return rows as unknown as readonly AuditRow[];
}

export async function latestId(stores: OpenStores): Promise<number> {
  const [row] = await stores.database.db.execute<{ id: number }>(
    sql`select coalesce(max(id), 0)::int as id from keyferry.audit_log`,
  );
  return Number(row?.id);
}
