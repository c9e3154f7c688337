/**
 * Endpoints of all sorts for an installation that is hurt, and what they took. Events are judged by
 * the outbox: each must have come, and those of one subject in their order.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { sql } from 'drizzle-orm';

import { runKeyferry, startUnboundKeyferry, type TestProcess } from '../support/processes.ts';
import { pause, type World } from './delivery-world.ts';

const ORG = 'acme';
const LISTED = { KEYFERRY_WEBHOOK_HOSTS: '127.0.0.1', KEYFERRY_ORG: ORG };
const POLL_MS = 200;

interface Taken {
  /** The header `webhook-id`. */
  readonly id: string;
  readonly subjectId: string;
  readonly runId: string | undefined;
  readonly atMs: number;
}

/** What an endpoint answers: a status at once, or after a while, or nothing for ever. */
export type Mood = () => { readonly status: number; readonly afterMs: number } | 'silence';

export interface Endpoint {
  readonly name: string;
  /** Answered with 2xx, in order. */
  readonly taken: readonly Taken[];
  mood: Mood;
  /** Refuses connections until `open`. */
  shut(): Promise<void>;
  open(): Promise<void>;
  close(): Promise<void>;
}

export const fine: Mood = () => ({ status: 204, afterMs: 0 });

/** With a webhook of the org `acme` that leads to it. */
export async function openEndpoint(world: World, name: string, mood: Mood): Promise<Endpoint> {
  const taken: Taken[] = [];
  let server: Server | undefined;
  let port = 0;
  const endpoint: Endpoint = {
    ...{ name, taken, mood },
    async open() {
      server = createServer((request, response) => {
        void read(request).then((one) => {
          const answer = endpoint.mood();
          if (answer === 'silence') return;
          setTimeout(() => {
            if (answer.status < 300) taken.push(one);
            response.writeHead(answer.status).end();
          }, answer.afterMs);
        });
      });
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
    },
    async shut() {
      server?.closeAllConnections();
      await new Promise((resolve) => server?.close(resolve));
    },
    close: () => endpoint.shut(),
  };
  await endpoint.open();
  const url = `http://127.0.0.1:${String(port)}/`;
  const environment = { ...world.environment, ...LISTED };
  const created = await runKeyferry(['webhook', 'create', name, '--url', url], { environment }, 60_000);
  if (created.code !== 0) throw new Error(created.stderr);
  return endpoint;
}

async function read(request: IncomingMessage): Promise<Taken> {
  const text = (await request.setEncoding('utf8').toArray()).join('');
  const { data } = JSON.parse(text) as { data: { id: string; runId?: string } };
  return { id: String(request.headers['webhook-id']), subjectId: data.id, runId: data.runId, atMs: Date.now() };
}

export async function startServer(world: World): Promise<TestProcess> {
  const environment = { ...world.environment, ...LISTED, KEYFERRY_HTTP_PORT: '0' };
  const server = startUnboundKeyferry(['server'], { environment });
  await server.waitForLine(/server started/, 90_000);
  return server;
}

/** Waits until nothing is left for this endpoint. */
export async function untilDelivered(world: World, { name }: Endpoint, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  const left = () =>
    world.count(sql`
      select count(*)::int as n from keyferry.notifications n
      join keyferry.webhooks w on w.id = n.webhook_id
      where w.name = ${name} and n.delivered_at is null`);
  while (Date.now() < deadline && (await left()) > 0) await pause(POLL_MS);
}

export interface EventTally {
  events: number;
  lost: number;
  outOfOrder: number;
  /** Came more than once, as a crash between taking and recording makes them. */
  repeated: number;
}

/** Adds up what came to this endpoint. Call it at rest. */
export async function judgeEndpoint(world: World, endpoint: Endpoint, tally: EventTally): Promise<void> {
  const rows = await world.rows(sql`
    select n.id, n.subject_id, n.seq from keyferry.notifications n
    join keyferry.webhooks w on w.id = n.webhook_id
    where w.name = ${endpoint.name}`);
  const seqs = new Map(rows.map((row) => [String(row['id']), Number(row['seq'])]));
  const came = new Set(endpoint.taken.map(({ id }) => id));
  tally.events += rows.length;
  tally.lost += [...seqs.keys()].filter((id) => !came.has(id)).length;
  tally.repeated += endpoint.taken.length - came.size;
  const newest = new Map<string, number>();
  for (const { id, subjectId } of endpoint.taken) {
    const seq = seqs.get(id) ?? Number.NaN;
    if (!(seq >= (newest.get(subjectId) ?? 0))) tally.outOfOrder += 1;
    newest.set(subjectId, seq);
  }
}

/**
 * Milliseconds from the settlement of each run to the first time that its event came, in order of
 * size.
 */
export async function latencies(world: World, endpoint: Endpoint, sinceMs: number): Promise<readonly number[]> {
  const rows = await world.rows(sql`
    select id, extract(epoch from finished_at) * 1000 as at from keyferry.runs
    where kind = 'sync' and finished_at is not null`);
  const settled = new Map(rows.map((row) => [String(row['id']), Number(row['at'])]));
  const first = new Map<string, number>();
  for (const { runId, atMs } of endpoint.taken) if (runId !== undefined && !first.has(runId)) first.set(runId, atMs);
  return [...first]
    .filter(([runId]) => (settled.get(runId) ?? 0) > sinceMs)
    .map(([runId, atMs]) => Math.max(0, atMs - (settled.get(runId) ?? 0)))
    .sort((a, b) => a - b);
}

/** Events without a run, spread over so many subjects. */
export async function insertEvents(
  world: World,
  { name, count, subjects }: { readonly name: string; readonly count: number; readonly subjects: number },
): Promise<void> {
  await world.rows(sql`
    insert into keyferry.notifications (event, subject_id, webhook_id, payload)
    select 'sync.changed', s.id, w.id,
      jsonb_build_object('orgId', ${ORG}::text, 'kind', 'sync', 'id', s.id)
    from keyferry.webhooks w, generate_series(1, ${count}::int) n,
      lateral (select md5(${name}::text || (n % ${subjects}::int))::uuid as id) s
    where w.name = ${name} order by n`);
  await world.rows(sql`select pg_notify('keyferry_events', '')`);
}
