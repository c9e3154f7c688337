/**
 * Machine identities of the API, and the access tokens that a login gives. Secrets and tokens are
 * stored as SHA-256 only.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

import { sql, type SQL } from 'drizzle-orm';

import { ACCESS_TOKEN_PREFIX, CLIENT_SECRET_PREFIX, type Caller, type Scope } from '../domain/caller.ts';
import { isUuid } from '../domain/reference.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError, violatedConstraint } from './database-error.ts';
import { fromRow, insertion, referred } from './rows.ts';
import { accessTokens, identities } from './schema.ts';

export type IdentityRow = Omit<typeof identities.$inferSelect, 'secretSha256'>;

export interface NewIdentity {
  readonly name: string;
  readonly scope: Scope;
  readonly projects: readonly string[] | null;
  readonly onExisting: 'fail' | 'adopt';
  readonly expiresAt: Date | null;
}

/** The secret is shown once and stored nowhere. */
export interface IdentityWithSecret {
  readonly identity: IdentityRow;
  readonly clientSecret: string;
}

export interface AccessToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly maxTtlSeconds: number;
}

export interface TokenLife {
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
}

const LIFE: TokenLife = { ttlSeconds: 2 * 3600, maxTtlSeconds: 30 * 24 * 3600 };
const SECRET_BYTES = 32;

export type Identities = ReturnType<typeof createIdentities>;

/** The actor for changes to identities, where none is given. */
const OPERATOR = 'operator';

/** Of which org, and who does it: only the command line makes, renews and revokes identities. */
interface By {
  readonly orgId: string;
  readonly actor: string;
}

export function createIdentities(db: Database, life: TokenLife = LIFE) {
  return {
    /** Throws IDENTITY_NAME_TAKEN. */
    create: (orgId: string, input: NewIdentity, actor = OPERATOR) => createIdentity(db, { orgId, actor }, input),
    list: (orgId: string) => listIdentities(db, orgId),
    /** The former secret and every access token stop working. Throws IDENTITY_NOT_FOUND. */
    rotateSecret: (orgId: string, idOrName: string, actor = OPERATOR) => rotateSecret(db, { orgId, actor }, idOrName),
    /** The identity and its access tokens are gone. Throws IDENTITY_NOT_FOUND. */
    revoke: (orgId: string, idOrName: string, actor = OPERATOR) => revokeIdentity(db, { orgId, actor }, idOrName),
    /** Undefined unless id and secret belong together and the identity has not expired. */
    login: (credentials: Login) => logIn(db, credentials, life),
    /**
     * An access token for somebody who proved otherwise who they are; it can be renewed for a day.
     */
    issue: (caller: Caller) => issueToken(db, caller, life),
    /** Undefined for a token that is unknown, expired or revoked. */
    renew: (accessToken: string) => renewToken(db, accessToken, life),
    /** False when there was no such token. */
    revokeToken: (accessToken: string) => revokeToken(db, accessToken),
    /** Who an access token belongs to; undefined when it is unknown, expired or revoked. */
    callerOf: (accessToken: string) => callerOf(db, accessToken),
  };
}

export interface Login {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Must be the identity's org when it is given. */
  readonly orgId?: string | undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function newSecret(prefix: string): string {
  return `${prefix}${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

function toIdentity(row: Record<string, unknown>): IdentityRow {
  const { secretSha256: _hidden, ...identity } = fromRow(identities, row);
  return identity;
}

/** Inserts the identity and its audit row; the name is unique within the org. */
async function createIdentity(db: Database, { orgId, actor }: By, input: NewIdentity): Promise<IdentityWithSecret> {
  const clientSecret = newSecret(CLIENT_SECRET_PREFIX);
  const values = { orgId, ...input, secretSha256: sha256(clientSecret) };
  try {
    const [row] = await db.execute(sql`
      with changed as (
        insert into keyferry.identities ${insertion(identities, values)} returning *
      ),
      ${audited('identity.create', actor)}
      select * from changed`);
    return { identity: toIdentity(row ?? {}), clientSecret };
  } catch (error) {
    if (violatedConstraint(error) !== 'identities_org_name') throw toDatabaseError(error);
    throw new JobError('IDENTITY_NAME_TAKEN', {
      message: `An identity named ${input.name} already exists. Choose another name, or give that one a new secret: keyferry identity rotate-secret ${input.name}`,
      cause: error,
    });
  }
}

/** A CTE that records what `changed` holds. */
function audited(action: string, actor: string): SQL {
  return sql`
      audited as (
        insert into keyferry.audit_log (org_id, actor, via, action, subject, request_id,
          status_code)
        select org_id, ${actor}, 'cli', ${action}, id::text, gen_random_uuid()::text, 200
        from changed
      )`;
}

async function listIdentities(db: Database, orgId: string): Promise<readonly IdentityRow[]> {
  return (await run(db, sql`select * from keyferry.identities where org_id = ${orgId} order by name`)).map(toIdentity);
}

function isReferred(orgId: string, idOrName: string): SQL {
  return sql`org_id = ${orgId} and ${referred({ id: sql`id`, name: sql`name` }, { idOrName })}`;
}

/**
 * Writes the identity’s row, its audit row, and deletes its access tokens. No fence: the last call
 * wins.
 */
async function rotateSecret(db: Database, { orgId, actor }: By, idOrName: string): Promise<IdentityWithSecret> {
  const clientSecret = newSecret(CLIENT_SECRET_PREFIX);
  const [row] = await run(
    db,
    sql`
      with changed as (
        update keyferry.identities
        set secret_sha256 = ${sha256(clientSecret)},
          secret_changed_at = now()
        where ${isReferred(orgId, idOrName)}
        returning *
      ),
      gone as (delete from keyferry.access_tokens t using changed where t.identity_id = changed.id),
      ${audited('identity.rotateSecret', actor)}
      select * from changed`,
  );
  if (!row) throw notFound(idOrName);
  return { identity: toIdentity(row), clientSecret };
}

/** Deletes the identity with its access tokens (by foreign key), and inserts its audit row. */
async function revokeIdentity(db: Database, { orgId, actor }: By, idOrName: string): Promise<IdentityRow> {
  const [row] = await run(
    db,
    sql`
      with changed as (
        delete from keyferry.identities where ${isReferred(orgId, idOrName)} returning *
      ),
      ${audited('identity.revoke', actor)}
      select * from changed`,
  );
  if (!row) throw notFound(idOrName);
  return toIdentity(row);
}

function notFound(idOrName: string): JobError {
  return new JobError('IDENTITY_NOT_FOUND', {
    message: `There is no identity ${idOrName} in this org. List them with: keyferry identity list`,
  });
}

/** Compared with this when there is no such identity, so that the time says nothing about it. */
const NOBODY = Buffer.alloc(32);

async function logIn(db: Database, login: Login, life: TokenLife): Promise<AccessToken | undefined> {
  const id = isUuid(login.clientId) ? login.clientId : null;
  const [row] = await run(
    db,
    sql`select secret_sha256, org_id from keyferry.identities
      where id = ${id}::uuid`,
  );
  const stored = row === undefined ? NOBODY : Buffer.from(String(row.secret_sha256), 'hex');
  const isRight = timingSafeEqual(Buffer.from(sha256(login.clientSecret), 'hex'), stored);
  if (!isRight || row === undefined || (login.orgId !== undefined && login.orgId !== row.org_id)) return undefined;
  const secret = String(row.secret_sha256);
  // The condition again: the secret may have changed since it was read.
  return insertToken(db, life, {
    source: sql`select id, null::jsonb, expires_at from keyferry.identities
      where id = ${id}::uuid and secret_sha256 = ${secret}`,
  });
}

/** A caller that lost the right to such a proof keeps access no longer than this. */
const MAX_ISSUED_SECONDS = 24 * 3600;

async function issueToken(db: Database, caller: Caller, given: TokenLife): Promise<AccessToken> {
  const life = { ...given, maxTtlSeconds: Math.min(given.maxTtlSeconds, MAX_ISSUED_SECONDS) };
  const source = sql`select null::uuid, ${JSON.stringify(caller)}::jsonb, null::timestamptz`;
  const issued = await insertToken(db, life, { source });
  if (issued === undefined) throw new JobError('BUG_UNEXPECTED');
  return issued;
}

/** Nothing when the source has no row, or its identity has expired. */
async function insertToken(
  db: Database,
  { ttlSeconds, maxTtlSeconds }: TokenLife,
  { source }: { readonly source: SQL },
): Promise<AccessToken | undefined> {
  const accessToken = newSecret(ACCESS_TOKEN_PREFIX);
  const [row] = await run(
    db,
    sql`
      with source (identity_id, caller, ends_at) as (${source})
      insert into keyferry.access_tokens (sha256, identity_id, caller, expires_at, renewable_until)
      select ${sha256(accessToken)}, identity_id, caller,
        least(now() + make_interval(secs => ${ttlSeconds}), ends_at),
        least(now() + make_interval(secs => ${maxTtlSeconds}), ends_at)
      from source where ends_at is null or ends_at > now()
      returning ${remaining}`,
  );
  return row && toAccessToken(accessToken, row);
}

const remaining = sql`
  extract(epoch from expires_at - now())::int as expires_in,
  extract(epoch from renewable_until - now())::int as max_ttl`;

function toAccessToken(accessToken: string, row: Record<string, unknown>): AccessToken {
  return { accessToken, expiresInSeconds: Number(row.expires_in), maxTtlSeconds: Number(row.max_ttl) };
}

/** Writes the token’s row while it is valid; never beyond the end of its renewals. */
async function renewToken(db: Database, accessToken: string, life: TokenLife): Promise<AccessToken | undefined> {
  const [row] = await run(
    db,
    sql`
      update keyferry.access_tokens
      set expires_at = least(now() + make_interval(secs => ${life.ttlSeconds}), renewable_until)
      where sha256 = ${sha256(accessToken)} and expires_at > now()
      returning ${remaining}`,
  );
  return row && toAccessToken(accessToken, row);
}

/** Deletes the token’s row; false where there is none. */
async function revokeToken(db: Database, accessToken: string): Promise<boolean> {
  const rows = await run(
    db,
    sql`delete from keyferry.access_tokens where sha256 = ${sha256(accessToken)} returning sha256`,
  );
  return rows.length > 0;
}

async function callerOf(db: Database, accessToken: string): Promise<Caller | undefined> {
  const [row] = await run(
    db,
    sql`
      select i.*, t.caller as _caller
      from keyferry.access_tokens t left join keyferry.identities i on i.id = t.identity_id
      where t.sha256 = ${sha256(accessToken)} and t.expires_at > now()
        and (i.expires_at is null or i.expires_at > now())`,
  );
  if (row === undefined) return undefined;
  if (row._caller !== null) return accessTokens.caller.mapFromDriverValue(row._caller) as Caller;
  const { id, orgId, name, scope, projects, onExisting } = toIdentity(row);
  return { id, orgId, name, scope, projects, onExisting };
}

async function run(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
