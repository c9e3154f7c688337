/**
 * Which AWS identity the workers use, since when, and how old its key is: in the database, in
 * `status`, in `doctor` and on the status page.
 */
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { type BaseIdentities, createBaseIdentities } from '../../../src/db/base-identities.ts';
import { type DatabaseHandle, openDatabase } from '../../../src/db/client.ts';
import { createStatusQueries } from '../../../src/db/status/queries.ts';
import type { BaseReport } from '../../../src/domain/connection/base-identity.ts';
import { startAwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { overviewContent } from '../../../src/server/status/overview.ts';
import { startBaseIdentityWatch } from '../../../src/workers/engine/base-identity-watch.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { runKeyferry } from '../../support/processes.ts';
import { createWorld } from '../../integration/connection/world.ts';

const database = useTestDatabase();
let handle: DatabaseHandle;
let identities: BaseIdentities;
beforeAll(() => {
  handle = openDatabase(database().url);
  identities = createBaseIdentities(handle.db);
});
afterAll(() => handle.close());
beforeEach(() => handle.db.execute(sql`update keyferry.installation set base_identities = '{}'`));

const DAY_MS = 86_400_000;
const report: BaseReport = {
  kind: 'key-pair',
  accountId: '999988887777',
  arn: 'arn:aws:iam::999988887777:user/keyferry',
  accessKeyId: 'AKIAFIRST',
  keyCreatedAt: null,
  fileChangedAt: null,
  expiresAt: null,
};

/** As if everything recorded so far had been this long ago. */
const age = (days: number) =>
  handle.db.execute(sql`
    update keyferry.installation
    set base_identities = (
      select jsonb_object_agg(key, value || jsonb_build_object(
        'firstSeenAt', (value ->> 'firstSeenAt')::timestamptz - make_interval(days => ${days}),
        'lastSeenAt', (value ->> 'lastSeenAt')::timestamptz - make_interval(days => ${days})))
      from jsonb_each(base_identities))`);

describe('the record', () => {
  it('keeps when an identity was first seen, and what IAM once told of its key', async () => {
    const createdAt = new Date(Date.now() - 5 * DAY_MS);
    await identities.record({ ...report, keyCreatedAt: createdAt });
    await age(20);
    const again = await identities.record(report);
    expect(again).toMatchObject({ accessKeyId: 'AKIAFIRST', keyCreatedAt: createdAt });
    const firstSeen = again?.firstSeenAt.getTime() ?? 0;
    expect(Math.round((Date.now() - firstSeen) / DAY_MS)).toBe(20);
    expect(Date.now() - (again?.lastSeenAt.getTime() ?? 0)).toBeLessThan(60_000);
  });

  it('lists the newest first, and forgets who has not been used for a month', async () => {
    await identities.record(report);
    await age(25);
    await identities.record({ ...report, accessKeyId: 'AKIASECOND' });
    expect((await identities.list()).map((one) => one.accessKeyId)).toEqual(['AKIASECOND', 'AKIAFIRST']);
    await age(6);
    await identities.record({ ...report, accessKeyId: 'AKIATHIRD' });
    expect((await identities.list()).map((one) => one.accessKeyId)).toEqual(['AKIATHIRD', 'AKIASECOND']);
  });

  it('is one for two workers at once', async () => {
    await Promise.all([1, 2, 3, 4].map(() => identities.record(report)));
    expect(await identities.list()).toHaveLength(1);
  });
});

describe('a worker', () => {
  function watch(key: () => string | undefined) {
    const lines: { level: number; msg: string; message: string }[] = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as never) });
    let asked = 0;
    let nowMs = Date.now();
    const watched = startBaseIdentityWatch({
      aws: {
        baseKeyInUse: key,
        baseReport: () => {
          asked += 1;
          return Promise.resolve({ ...report, accessKeyId: key() ?? null });
        },
      },
      identities,
      log,
      now: () => new Date(nowMs),
    });
    watched.stop();
    return { look: watched.look, lines, asked: () => asked, wait: (ms: number) => (nowMs += ms) };
  }

  it('asks for no identity that no work has needed', async () => {
    const { look, asked } = watch(() => undefined);
    await look();
    expect([asked(), await identities.list()]).toEqual([0, []]);
  });

  it('records an identity at its first use, at a change and once an hour, and logs each once', async () => {
    let key = 'AKIAFIRST';
    const { look, lines, asked, wait } = watch(() => key);
    await look();
    await look();
    expect(asked()).toBe(1);
    wait(3_600_001);
    await look();
    expect(asked()).toBe(2);
    key = 'AKIASECOND';
    await look();
    expect(lines.map((line) => line.msg)).toEqual([
      expect.stringMatching(/^the worker’s own AWS identity: access key in INF_APP/),
      expect.stringMatching(/^the worker’s own AWS identity changed/),
    ]);
  });

  it('warns once of a key that is older than 90 days', async () => {
    await identities.record(report);
    await age(28);
    await identities.record(report);
    await age(29);
    await identities.record(report);
    await age(29);
    await identities.record(report);
    await age(29);
    const { look, lines } = watch(() => 'AKIAFIRST');
    await look();
    await look();
    expect(lines.filter((line) => line.level === 40).map((line) => line.message)).toEqual([
      expect.stringMatching(/AKIAFIRST has been in use for more than 90 days \(115\)/),
    ]);
  });
});

describe('an operator', () => {
  it('reads it in status and doctor, in words and as JSON, with a warning for an old key', async () => {
    const world = createWorld();
    const aws = await startAwsSandboxServer(world.sandbox);
    try {
      const { accessKeyId, secretAccessKey } = world.baseKey;
      const environment = cleanEnvironment({
        DATABASE_URL: database().url,
        KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
        INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: accessKeyId,
        INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_ENDPOINT_URL: aws.url,
      });
      await runKeyferry(['migrate'], { environment });
      const young = await runKeyferry(['doctor'], { environment }, 30_000);
      expect(young.stdout).toMatch(
        /✓ AWS base identity +arn:aws:iam::999988887777:user\/keyferry: access key in INF_APP/,
      );
      await identities.record({ ...report, accessKeyId });
      await age(91);
      const doctor = await runKeyferry(['doctor'], { environment }, 30_000);
      expect([doctor.code, doctor.stdout]).toEqual([
        0,
        expect.stringMatching(
          /! AWS base identity .*in use for 91 days; workers have used it since .*more than 90 days/,
        ),
      ]);
      const json = JSON.parse((await runKeyferry(['doctor', '--json'], { environment }, 30_000)).stdout) as unknown[];
      expect(json).toContainEqual(
        expect.objectContaining({
          part: 'AWS base identity',
          isFine: true,
          warning: expect.stringContaining('Create a second key') as string,
        }),
      );
      const status = await runKeyferry(['status'], { environment }, 30_000);
      expect(status.stdout).toMatch(new RegExp(`workers’ AWS identity[^]*${accessKeyId}, in use for 91 days`));
      expect(status.stdout).toMatch(/has been in use for more than 90 days/);
      const document = JSON.parse((await runKeyferry(['status', '--json'], { environment }, 30_000)).stdout) as object;
      expect(document).toMatchObject({ baseIdentities: [{ kind: 'key-pair', accessKeyId }] });
      for (const text of [doctor.stdout, status.stdout, JSON.stringify(json), JSON.stringify(document)])
        expect(text).not.toContain(secretAccessKey);
    } finally {
      await aws.close();
    }
  }, 120_000);

  it('sees it on the overview', async () => {
    await identities.record(report);
    await age(91);
    const queries = createStatusQueries(handle.db);
    const page = String(
      await overviewContent({
        overview: await queries.overview(),
        attention: [],
        runs: [],
        identities: await queries.baseIdentities(),
        now: new Date(),
      }),
    );
    expect(page).toContain('Workers’ AWS identity');
    expect(page).toMatch(/AKIAFIRST, in use for 91 days/);
    expect(page).toContain('Create a second key');
  });
});
