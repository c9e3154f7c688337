/**
 * The workers' own AWS identities, kept in the installation's row: when each was first and last
 * seen. Names and dates only, never a secret.
 */
import { sql } from 'drizzle-orm';

import {
  type BaseKind,
  baseKinds,
  type BaseReport,
  type SeenBaseIdentity,
} from '../domain/connection/base-identity.ts';
import type { Database } from './client.ts';
import { parseMoment } from './moment.ts';
import { createReadAll, parsedJson, textOrNull } from './read.ts';
import { execute } from './statement.ts';

export type BaseIdentities = ReturnType<typeof createBaseIdentities>;

/** Kept for a while after the last worker used it: a reader sees what was replaced, and when. */
const KEEP_DAYS = 30;

export function createBaseIdentities(db: Database) {
  const all = createReadAll(db);
  return {
    /** Newest first. */
    async list(): Promise<readonly SeenBaseIdentity[]> {
      const [row] = await all(sql`select base_identities from keyferry.installation`);
      return toList(parsedJson(row?.base_identities));
    },
    /** Records that a worker uses it now, and returns it with its dates. */
    async record(report: BaseReport): Promise<SeenBaseIdentity | undefined> {
      const name = nameOf(report);
      const rows = await execute(db, recordStatement(name, report));
      const seen = ((parsedJson(rows[0]?.base_identities) ?? {}) as Stored)[name];
      return seen && toSeen(seen);
    },
  };
}

/** A long-lived key by its id; temporary ones by whose they are. */
function nameOf({ kind, accessKeyId, arn }: BaseReport): string {
  return `${kind} ${accessKeyId ?? arn}`;
}

/**
 * Returns the row. Locks it for the length of the statement. Keeps the first sight and the creation
 * date that an earlier report had; drops identities that nobody has used for a while.
 */
function recordStatement(name: string, report: BaseReport) {
  const document = JSON.stringify(report);
  const before = sql`coalesce(i.base_identities -> ${name}::text, '{}')`;
  return sql`
    update keyferry.installation i
    set base_identities = (
        select coalesce(jsonb_object_agg(one.key, one.value), '{}')
        from jsonb_each(i.base_identities) one
        where (one.value ->> 'lastSeenAt')::timestamptz > now()
          - make_interval(days => ${KEEP_DAYS})
      )
      || jsonb_build_object(${name}::text,
        jsonb_build_object('firstSeenAt', now())
        || ${before}
        || jsonb_strip_nulls(${document}::jsonb)
        || jsonb_build_object('lastSeenAt', now()))
    returning i.base_identities`;
}

function toList(stored: unknown): readonly SeenBaseIdentity[] {
  const found = Object.values((stored ?? {}) as Stored).map(toSeen);
  return found.sort((one, other) => other.firstSeenAt.getTime() - one.firstSeenAt.getTime());
}

/** As `recordStatement` wrote it. */
type Stored = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function toSeen(one: Stored[string]): SeenBaseIdentity {
  const kind = String(one.kind);
  return {
    kind: isKind(kind) ? kind : 'unknown',
    accountId: String(one.accountId),
    arn: String(one.arn),
    accessKeyId: textOrNull(one.accessKeyId),
    keyCreatedAt: momentOrNull(one.keyCreatedAt),
    fileChangedAt: momentOrNull(one.fileChangedAt),
    expiresAt: momentOrNull(one.expiresAt),
    firstSeenAt: parseMoment(one.firstSeenAt),
    lastSeenAt: parseMoment(one.lastSeenAt),
  };
}

const isKind = (kind: string): kind is BaseKind => kind in baseKinds;
const momentOrNull = (text: unknown) => (text === undefined ? null : parseMoment(text));
