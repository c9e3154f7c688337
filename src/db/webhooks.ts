/**
 * Endpoints of orgs: their rows, their delivery log and its replay. URL and secret are stored
 * encrypted; only the URL's origin is shown.
 */
import { randomBytes, randomUUID } from 'node:crypto';

import { sql, type SQL } from 'drizzle-orm';

import { textOf, type Reference } from '../domain/reference.ts';
import type { NewWebhook } from '../domain/webhooks.ts';
import { refusalAtEdge } from '../network/public-lookup.ts';
import { JobError } from '../errors.ts';
import type { Database } from './client.ts';
import { toDatabaseError, violatedConstraint } from './database-error.ts';
import { type Encryption, webhookPlace } from './encryption.ts';
import { EVENTS_CHANNEL } from './events.ts';
import { fromRow, insertion, referred } from './rows.ts';
import { notifications, webhooks } from './schema.ts';

export type WebhookRow = Omit<typeof webhooks.$inferSelect, 'target'> & {
  readonly waiting: number;
  /** Events that could not be delivered within three days. */
  readonly parked: number;
};

export type DeliveryState = 'waiting' | 'delivered' | 'parked';

export type DeliveryRow = Pick<
  typeof notifications.$inferSelect,
  'id' | 'event' | 'subjectId' | 'createdAt' | 'attempts' | 'nextAttemptAt' | 'deliveredAt' | 'parkedAt' | 'lastError'
> & { readonly state: DeliveryState };

/** The secret is shown once. */
export interface WebhookWithSecret {
  readonly webhook: WebhookRow;
  readonly secret: string;
}

export type Webhooks = ReturnType<typeof createWebhooks>;

/** `hosts`: names and addresses that the operator lists, for plain http and private addresses. */
export function createWebhooks(db: Database, encryption: Encryption, { hosts }: { readonly hosts: readonly string[] }) {
  return {
    /** Throws WEBHOOK_NAME_TAKEN, WEBHOOK_URL_REFUSED. */
    create: (orgId: string, input: NewWebhook) => createWebhook(db, { orgId, input, hosts, encryption }),
    list: async (orgId: string) => (await run(db, selection(sql`w.org_id = ${orgId}`))).map(toWebhook),
    get: (orgId: string, reference: Reference) => getWebhook(db, orgId, reference),
    /** Also what waits for it. A message under way may still arrive. Throws WEBHOOK_NOT_FOUND. */
    delete: (orgId: string, reference: Reference) => deleteWebhook(db, orgId, reference),
    /** Puts a `webhook.test` into the outbox. */
    test: (webhook: WebhookRow) => queueTest(db, webhook),
    /** Newest first. */
    deliveries: (webhook: WebhookRow, limit: number) => listDeliveries(db, webhook, limit),
    delivery: async (webhook: WebhookRow, id: string) => {
      const [delivery] = await readDeliveries(db, webhook, sql`and n.id = ${id}`);
      return delivery;
    },
    /**
     * Parked events again, or one that is named by its id, even a delivered one. Returns how many.
     */
    replay: (webhook: WebhookRow, id?: string) => replay(db, webhook, id),
  };
}

/** 32 bytes, in the form that libraries of Standard Webhooks take. */
function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

interface Creation {
  readonly orgId: string;
  readonly input: NewWebhook;
  readonly hosts: readonly string[];
  readonly encryption: Encryption;
}

/** Inserts the webhook; the name is unique within the org. */
async function createWebhook(db: Database, { orgId, input, hosts, encryption }: Creation): Promise<WebhookWithSecret> {
  const refusal = refusalAtEdge(input.url, hosts);
  if (refusal !== undefined) throw new JobError('WEBHOOK_URL_REFUSED', { message: `The URL is refused: ${refusal}.` });
  const [id, secret] = [randomUUID(), newSecret()];
  const { url, ...rest } = input;
  const target = await encryption.encrypt(JSON.stringify({ url, secret }), webhookPlace({ orgId, id }));
  const values = { id, orgId, ...rest, origin: new URL(url).origin, target };
  try {
    const [row] = await db.execute(sql`insert into keyferry.webhooks ${insertion(webhooks, values)}
      returning *`);
    return { webhook: toWebhook(row ?? {}), secret };
  } catch (error) {
    if (violatedConstraint(error) !== 'webhooks_org_name') throw toDatabaseError(error);
    throw new JobError('WEBHOOK_NAME_TAKEN', {
      message: `A webhook named ${input.name} already exists. Choose another name, or delete that one.`,
      cause: error,
    });
  }
}

function toWebhook(row: Record<string, unknown>): WebhookRow {
  const { target: _hidden, ...webhook } = fromRow(webhooks, row);
  return { ...webhook, waiting: Number(row._waiting ?? 0), parked: Number(row._parked ?? 0) };
}

function selection(condition: SQL): SQL {
  const count = (of: SQL) =>
    sql`(select count(*) from keyferry.notifications n
      where n.webhook_id = w.id and n.${of} is not null)`;
  return sql`
    select w.*, ${count(sql`next_attempt_at`)} as _waiting, ${count(sql`parked_at`)} as _parked
    from keyferry.webhooks w where ${condition} order by w.name`;
}

const isReferred = (orgId: string, reference: Reference): SQL =>
  sql`w.org_id = ${orgId} and ${referred({ id: sql`w.id`, name: sql`w.name` }, reference)}`;

async function getWebhook(db: Database, orgId: string, reference: Reference): Promise<WebhookRow> {
  const rows = await run(db, selection(isReferred(orgId, reference)));
  // At most one: a name never has the form of an id.
  const [webhook] = rows.map(toWebhook);
  if (webhook === undefined) {
    throw new JobError('WEBHOOK_NOT_FOUND', { message: `There is no webhook ${textOf(reference)} in this org.` });
  }
  return webhook;
}

/** Deletes the webhook and what it had not delivered. */
async function deleteWebhook(db: Database, orgId: string, reference: Reference): Promise<WebhookRow> {
  const webhook = await getWebhook(db, orgId, reference);
  await run(
    db,
    sql`
      with gone as (delete from keyferry.webhooks where id = ${webhook.id} returning id)
      delete from keyferry.notifications n using gone where n.webhook_id = gone.id`,
  );
  return webhook;
}

/** Lets the webhook’s row try again at once, inserts one notification, and wakes the deliverers. */
async function queueTest(db: Database, webhook: WebhookRow): Promise<DeliveryRow> {
  const payload = { orgId: webhook.orgId, kind: 'webhook', id: webhook.id, name: webhook.name };
  const [row] = await run(
    db,
    sql`
      with asked as (
        update keyferry.webhooks w set retry_at = null where w.id = ${webhook.id} returning w.id
      ),
      made as (
        insert into keyferry.notifications (event, subject_id, webhook_id, payload)
        -- A subject of its own, so that it waits for no other message.
        select 'webhook.test', gen_random_uuid(), asked.id, ${JSON.stringify(payload)}::jsonb
        from asked returning *
      )
      select made.*, pg_notify(${EVENTS_CHANNEL}, '') as _woken from made`,
  );
  if (row === undefined) throw new JobError('WEBHOOK_NOT_FOUND');
  return toDelivery(row);
}

function toDelivery(row: Record<string, unknown>): DeliveryRow {
  const { id, event, subjectId, createdAt, attempts, nextAttemptAt, deliveredAt, parkedAt, lastError } = fromRow(
    notifications,
    row,
  );
  const state = nextAttemptAt !== null ? 'waiting' : parkedAt === null ? 'delivered' : 'parked';
  return { id, event, state, subjectId, createdAt, attempts, nextAttemptAt, deliveredAt, parkedAt, lastError };
}

async function listDeliveries(db: Database, webhook: WebhookRow, limit: number): Promise<readonly DeliveryRow[]> {
  return readDeliveries(db, webhook, sql`order by n.seq desc limit ${limit}`);
}

async function readDeliveries(db: Database, { id }: WebhookRow, rest: SQL): Promise<readonly DeliveryRow[]> {
  const rows = await run(
    db,
    sql`select n.* from keyferry.notifications n
      where n.webhook_id = ${id} ${rest}`,
  );
  return rows.map(toDelivery);
}

async function replay(db: Database, webhook: WebhookRow, id?: string): Promise<number> {
  const isAsked = sql`n.id = ${id} and n.next_attempt_at is null`;
  const which = id === undefined ? sql`n.parked_at is not null` : isAsked;
  const [row] = await run(
    db,
    sql`
      with asked as (
        update keyferry.webhooks w set retry_at = null where w.id = ${webhook.id} returning w.id
      ),
      again as (
        update keyferry.notifications n
        set next_attempt_at = now(), queued_at = now(), attempts = 0,
          parked_at = null, delivered_at = null
        from asked where n.webhook_id = asked.id and ${which}
        returning n.id
      )
      select count(*)::int as replayed, pg_notify(${EVENTS_CHANNEL}, '') as woken from again`,
  );
  return Number(row?.replayed ?? 0);
}

async function run(db: Database, statement: SQL): Promise<Record<string, unknown>[]> {
  try {
    return await db.execute(statement);
  } catch (error) {
    throw toDatabaseError(error);
  }
}
