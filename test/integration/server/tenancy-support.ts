/** What somebody else has, requests about it, and whether it is still as it was. */
import { randomUUID } from 'node:crypto';

import type { ApiUnderTest, Operation } from './api-support.ts';
import { type EveryOperation, type Ids, type Operations, place } from './every-operation.ts';
import { uniqueName, type ServerFixture } from './support.ts';

interface Things extends Ids {
  readonly deliveryId: string;
}

export interface Planted {
  /** Text that no answer to anybody else may hold: ids, names, descriptions, addresses. */
  readonly marks: readonly string[];
  /** A valid request of the operation that names these things wherever it can name one. */
  requestFor(one: EveryOperation, projectId: string): { readonly path: string; readonly body: unknown };
  /** Takes away what a request of that org, or of the project `other`, has made. */
  forgetAnswers(orgId: string): Promise<void>;
  /** As many things, with ids and names that nobody has. */
  absent(): Planted;
}

const DESCRIPTION = 'a description that only its org may read';

export async function plant(fixture: ServerFixture, api: ApiUnderTest, every: Operations): Promise<Planted> {
  const sql = fixture.handle.client;
  await api.call('PUT', '/api/v1/folders/secrets', { body: { ...place, secrets: { THEIR_KEY_NAME: 'their value' } } });
  const ids = await every.createSubjects();
  for (const table of ['connections', 'syncs', 'rotations'])
    await sql.unsafe(`update keyferry.${table} set description = $1 where org_id = 'acme'`, [DESCRIPTION]);
  // Of a project, so that identities of other projects must not see it.
  await sql`update keyferry.connections set project_id = ${place.projectId} where org_id = 'acme'`;
  const test = await api.call('POST', `/api/v1/webhooks/${ids.webhookId}/test`);
  const webhooks = await api.call('GET', '/api/v1/webhooks');
  const names = { ...ids.names, webhook: String(webhooks.body.webhooks[0].name) };
  const things = { ...ids, names, deliveryId: String(test.body.delivery.id), login: withWrongProof(ids) };
  const { connectionId, rotationId, runId, webhookId } = ids;
  const marks = [
    ...[connectionId, rotationId, runId, webhookId, things.deliveryId, ...Object.values(ids.syncId)],
    ...Object.values(names),
    ...[
      'THEIR_KEY_NAME',
      'their value',
      'hooks.example.com',
      'sources.example.com',
      DESCRIPTION,
      ids.login?.clientId ?? '',
    ],
  ];
  return planted({ fixture, api, every, things, marks });
}

/** Whoever has the secret or the token is its owner. */
function withWrongProof({ login }: Ids) {
  return { clientId: login?.clientId ?? '', clientSecret: 'wrong', accessToken: 'wrong', jwt: 'wrong' };
}

interface Parts {
  readonly fixture: ServerFixture;
  readonly api: ApiUnderTest;
  readonly every: Operations;
  readonly things: Things;
  readonly marks: readonly string[];
}

function planted(parts: Parts): Planted {
  return {
    marks: parts.marks,
    requestFor: (one, projectId) => ({ path: pathOf(parts, one, projectId), body: bodyOf(parts, one, projectId) }),
    forgetAnswers: (orgId) => forget(parts.fixture, orgId),
    absent: () => planted({ ...parts, things: absentThings(), marks: [] }),
  };
}

function absentThings(): Things {
  return {
    connectionId: randomUUID(),
    syncId: { 'aws-parameter-store': randomUUID(), 'aws-secrets-manager': randomUUID() },
    rotationId: randomUUID(),
    runId: randomUUID(),
    webhookId: randomUUID(),
    deliveryId: randomUUID(),
    names: Object.fromEntries(
      ['connection-name', 'aws-parameter-store', 'aws-secrets-manager', 'rotation-name', 'webhook'].map((kind) => [
        kind,
        uniqueName('nobodys'),
      ]),
    ),
    login: { clientId: randomUUID(), clientSecret: 'wrong', accessToken: 'wrong', jwt: 'wrong' },
  };
}

function pathOf({ every, things }: Parts, { path, operation }: EveryOperation, projectId: string): string {
  const [filled = '', query] = every.fill(path, operation, things).split('?');
  const values: Record<string, string> = {
    projectId,
    subjectId: things.syncId['aws-parameter-store'] ?? '',
    deliveryId: things.deliveryId,
  };
  const search = new URLSearchParams(query);
  for (const { name, in: where } of operation.parameters ?? [])
    if (where === 'query' && values[name] !== undefined) search.set(name, values[name]);
  return `${filled}?${search.toString()}`;
}

const kindOfName: Readonly<Record<string, string>> = {
  connection: 'connection-name',
  parameterStoreSync: 'aws-parameter-store',
  secretsManagerSync: 'aws-secrets-manager',
  rotation: 'rotation-name',
  webhook: 'webhook',
};

function bodyOf(parts: Parts, { operation }: EveryOperation, projectId: string): unknown {
  const { every, api, things } = parts;
  const valid = every.validBody(operation.operationId, things);
  if (valid === undefined) return undefined;
  const [noun = ''] = operation.operationId.split('.');
  const name = things.names[kindOfName[noun] ?? ''];
  const fields = fieldsOf(api, operation);
  return {
    ...(valid as object),
    ...('projectId' in (valid as object) ? { projectId } : {}),
    ...('name' in (valid as object) && name !== undefined ? { name } : {}),
    ...(fields.includes('connectionId') ? { connectionId: things.connectionId } : {}),
  };
}

interface BodySchema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

function fieldsOf({ document }: ApiUnderTest, { requestBody }: Operation): readonly string[] {
  const schema = requestBody?.content['application/json'].schema as BodySchema | undefined;
  const named = document.components.schemas[schema?.$ref?.split('/').at(-1) ?? ''] as BodySchema | undefined;
  return Object.keys((named ?? schema)?.properties ?? {});
}

/** The rows that belong to the caller itself. */
const ownerOf = (orgId: string) =>
  orgId === 'acme' ? `org_id = 'acme' and project_id = 'other'` : `org_id = '${orgId}'`;

const WITH_PROJECT = ['syncs', 'rotations', 'folders', 'connections'];

async function forget({ handle: { client } }: ServerFixture, orgId: string): Promise<void> {
  const own = ownerOf(orgId);
  const ids = WITH_PROJECT.map((table) => `select id from keyferry.${table} where ${own}`).join(' union all ');
  const rest =
    orgId === 'acme' ? '' : `delete from keyferry.webhooks where ${own}; delete from keyferry.audit_log where ${own};`;
  await client.unsafe(`
    delete from keyferry.runs where subject_id in (${ids});
    delete from keyferry.requests where subject_id in (${ids});
    delete from keyferry.syncs where ${own};
    delete from keyferry.rotations where ${own};
    delete from keyferry.secrets where folder_id in (select id from keyferry.folders where ${own});
    delete from keyferry.folders where ${own};
    delete from keyferry.connections where ${own};
    ${rest}`);
}

/**
 * Every row of every table that is not the caller's own, as text. Its trail and its tokens are its
 * own.
 */
export async function rowsOfOthers({ handle: { client } }: ServerFixture, orgId: string): Promise<readonly string[]> {
  const tables = await client`select table_name as name from information_schema.tables
    where table_schema = 'keyferry'`;
  const own = WITH_PROJECT.map((table) => `select id::text from keyferry.${table} where ${ownerOf(orgId)}`);
  const parents = ['folder_id', 'subject_id', 'sync_id', 'rotation_id'];
  const isOwn = [
    `name = 'access_tokens'`,
    orgId === 'acme'
      ? `name = 'audit_log'`
      : `row ->> 'org_id' = '${orgId}' or name = 'orgs' and row ->> 'id' = '${orgId}'`,
    ...['id', ...parents].map((column) => `row ->> '${column}' in (select id from own)`),
  ].join(' or ');
  const all = tables.map(
    ({ name }) => `select '${String(name)}' as name, to_jsonb(t) as row from keyferry.${String(name)} t`,
  );
  const found = await client.unsafe(`
    with own as (${own.join(' union all ')}), every_row as (${all.join(' union all ')})
    select name || ' ' || row::text as text from every_row where (${isOwn}) is not true order by 1`);
  return found.map(({ text }) => String(text));
}

/**
 * What differs between two answers although they say the same: ids, times and names that were sent
 * or made.
 */
export function withoutNames({ body, headers }: { readonly body: unknown; readonly headers: Headers }): unknown {
  const text = JSON.stringify(body)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replace(/\b[a-z]+-[0-9a-f]{8}\b/g, 'NAME')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/"credentialsHash":"[\w-]+"/g, '"credentialsHash":"HASH"')
    .replace(/whsec_[\w+/=-]+/g, 'SECRET');
  return [JSON.parse(text), [...headers.keys()].sort()];
}
