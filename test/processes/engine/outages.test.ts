/**
 * Outages of PostgreSQL and Redis: each raises one alarm and lowers it once, and marks nobody who
 * waits for the server.
 */
import { pino, type Logger } from 'pino';
import { sql } from 'drizzle-orm';
import { afterEach, describe, expect, it } from 'vitest';

import { waitForAnswer } from '../../../src/client/waiting.ts';
import { JobError } from '../../../src/errors.ts';
import { hasRedis } from '../../support/backends.ts';
import { startForwarder } from '../../support/forwarder.ts';
import { createTestDatabase } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';
import { addConnection, eventually, openEngine, type Engine } from '../../integration/engine/support.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly queue?: string;
}

function openLog(): { readonly log: Logger; said(): readonly string[] } {
  const lines: Line[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as Line) });
  // What a person reads: everything from a warning on, and the end of an alarm.
  const isNews = ({ level, msg }: Line) => level >= 40 || msg.includes('again');
  return { log, said: () => lines.filter(isNews).map(({ msg }) => msg) };
}

const statuses = async ({ stores }: Engine) =>
  stores.database.db.execute(sql`select status, status_code, attempt, consecutive_failures
    from keyferry.connections`);
const untouched = { status: 'pending', status_code: null, attempt: 0, consecutive_failures: 0 };
const RAISED_FOR_MS = 9_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!hasRedis)('an outage of Redis', () => {
  it('raises one alarm and lowers it once, and marks no connection', async () => {
    const database = await createTestDatabase();
    ends.push(() => database.drop());
    const redis = await startRedis({ appendOnly: false });
    ends.push(() => redis.stop());
    const engine = await openEngine(database.url, redis.url);
    ends.push(() => engine.close());
    const { log, said } = openLog();
    await engine.startWorker({ log, outageQuietMs: 3_000 });
    await redis.kill('SIGKILL');
    const { requestId } = await addConnection(engine.stores, 'waits');
    await pause(RAISED_FOR_MS);
    expect(said()).toEqual(['Redis cannot be used; all work waits for it']);
    expect(await statuses(engine)).toMatchObject([untouched]);
    await redis.restart();
    expect((await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 15_000 })).status).toBe('succeeded');
    await eventually(
      async () => said(),
      (all) => all.length > 1,
      15_000,
    );
    expect(said()).toEqual(['Redis cannot be used; all work waits for it', 'Redis can be used again']);
  }, 60_000);
});

describe('an outage of PostgreSQL', () => {
  it.each(['PostgreSQL', ...(hasRedis ? ['Redis'] : [])])(
    'raises one alarm and lowers it once, with the queues in %s',
    async (queues) => {
      const database = await createTestDatabase();
      ends.push(() => database.drop());
      const redis = queues === 'Redis' ? await startRedis({ appendOnly: false }) : undefined;
      ends.push(async () => redis?.stop());
      const target = new URL(database.url);
      const address = await startForwarder(Number(target.port), { host: '127.0.0.1', port: 0 });
      ends.push(() => address.close());
      target.port = String(address.port);
      const engine = await openEngine(target.href, redis?.url);
      ends.push(() => engine.close());
      const { log, said } = openLog();
      await engine.startWorker({ log, outageQuietMs: 3_000 });
      await addConnection(engine.stores, 'before').then(({ requestId }) =>
        waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 15_000 }),
      );
      address.cut();
      await pause(RAISED_FOR_MS);
      expect(said()).toEqual(['PostgreSQL cannot be used; all work waits for it']);
      address.mend();
      await eventually(
        async () => said(),
        (all) => all.length > 1,
        20_000,
      );
      expect(said()).toEqual(['PostgreSQL cannot be used; all work waits for it', 'PostgreSQL can be used again']);
      expect(await statuses(engine)).toMatchObject([untouched]);
    },
    60_000,
  );

  it('in the middle of a run spends no attempt, and the run comes again within seconds', async () => {
    const database = await createTestDatabase();
    ends.push(() => database.drop());
    const engine = await openEngine(database.url, undefined);
    ends.push(() => engine.close());
    let runs = 0;
    const { log, said } = openLog();
    await engine.startWorker({
      log,
      // Longer than the two waits of six seconds, whatever else they take.
      outageQuietMs: 60_000,
      perform: () => {
        runs += 1;
        return runs <= 2 ? Promise.reject(new JobError('DB_UNAVAILABLE')) : Promise.resolve({ status: 'succeeded' });
      },
    });
    const { requestId } = await addConnection(engine.stores, 'interrupted');
    const run = await waitForAnswer(engine.stores.requests, requestId, { timeoutMs: 25_000 });
    expect(run.status).toBe('succeeded');
    expect(await statuses(engine)).toMatchObject([untouched]);
    expect(said()).toEqual(['PostgreSQL cannot be used; all work waits for it']);
  }, 60_000);
});
