/**
 * What a sync costs: calls to AWS for 10, 1,000 and 10,000 secrets in each case, beside the lower
 * bound and what other tools make, memory, and the share of encryption. Real engine and database,
 * the AWS sandbox in this process.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { migrate } from '../src/db/migrate.ts';
import { secretPlace } from '../src/db/encryption.ts';
import { fingerprintInput } from '../src/domain/fingerprint.ts';
import { createFingerprintKeys } from '../src/db/fingerprint-key.ts';
import { startEmbeddedPostgres } from '../src/sandbox/postgres.ts';
import { enterSandboxEnvironment } from '../src/sandbox/environment.ts';
import { openStage, type Stage } from '../test/support/stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, total, type World } from '../test/integration/sync/world.ts';
import type { Figure } from './figure.ts';
import { measurePeak } from './sync-peak.ts';

interface Mode {
  readonly name: 'ssm' | 'sm' | 'sm-json';
  readonly input: SyncInput;
  /** Bytes of a value: a JSON secret holds at most 65,536 in all. */
  readonly valueBytes: number;
  readonly maxSize: number;
  /** The lower bound: calls that no tool can avoid. */
  lowerBound(size: number): Readonly<Record<Case, number>>;
  /** The calls that Infisical's sync makes, from its source; undefined where unknown. */
  infisical(size: number): Readonly<Partial<Record<Case, number>>>;
}

/**
 * `unchanged` is woken by an update of the sync that changes nothing, `asked-unchanged` is asked
 * for by a person.
 */
const cases = ['first', 'unchanged', 'asked-unchanged', 'drift', 'one-changed', 'changed'] as const;
type Case = (typeof cases)[number];
type Measured = Readonly<Record<Case, number>> & { readonly firstTagged: number; readonly seconds: number };

const tens = (size: number) => Math.ceil(size / 10);
const fifties = (size: number) => Math.ceil(size / 50);
const hundreds = (size: number) => Math.ceil(size / 100);
const secretsManager = (config: object): SyncInput => ({
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, ...config } as never,
});

/** A sync that a person asks for is checked as a drift check would. */
function bound({ first, drift, changed }: { first: number; drift: number; changed: number }) {
  return { first, unchanged: 0, 'asked-unchanged': drift, drift, 'one-changed': 1, changed };
}

const modes: readonly Mode[] = [
  {
    name: 'ssm',
    input: { destinationConfig: { region: REGION, path: '/bench/' } },
    valueBytes: 1_024,
    maxSize: 10_000,
    lowerBound: (size) => bound({ first: size, drift: fifties(size), changed: size }),
    infisical: (size) => ({
      first: size + 2,
      unchanged: 2 * tens(size) + size,
      'one-changed': 2 * tens(size) + size + 1,
    }),
  },
  {
    name: 'sm',
    input: secretsManager({ mappingBehavior: 'one-to-one', prefix: 'bench/' }),
    valueBytes: 1_024,
    maxSize: 10_000,
    lowerBound: (size) => bound({ first: size, drift: hundreds(size), changed: size }),
    infisical: (size) => ({
      first: size + 1,
      unchanged: hundreds(size) + Math.ceil(size / 20) + size,
      'one-changed': hundreds(size) + Math.ceil(size / 20) + size + 1,
    }),
  },
  {
    name: 'sm-json',
    input: secretsManager({ mappingBehavior: 'many-to-one', secretName: 'bench' }),
    valueBytes: 24,
    maxSize: 1_000,
    lowerBound: () => bound({ first: 1, drift: 1, changed: 1 }),
    infisical: () => ({ first: 2, unchanged: 2, 'one-changed': 3 }),
  },
];

const goals: Readonly<Record<Mode['name'], (size: number) => Readonly<Record<Case, number>>>> = {
  ssm: (size) => goal({ first: size + 2, drift: fifties(size) + 1, oneChanged: 3, changed: size + 2 * fifties(size) }),
  sm: (size) => goal({ first: size + 2, drift: hundreds(size), oneChanged: 2, changed: 2 * size }),
  'sm-json': () => goal({ first: 3, drift: 2, oneChanged: 3, changed: 3 }),
};

interface Goal {
  readonly first: number;
  readonly drift: number;
  readonly oneChanged: number;
  readonly changed: number;
}

function goal({ first, drift, oneChanged, changed }: Goal): Readonly<Record<Case, number>> {
  return { first, unchanged: 0, 'asked-unchanged': drift, drift, 'one-changed': oneChanged, changed };
}

const sizes = [10, 1_000, 10_000];
/** No other subject waits for its slot. */
const alone = { isAwaited: () => false };

export async function measureSync(): Promise<readonly Figure[]> {
  const database = await openDatabase();
  const stage = openStage(database.url);
  try {
    const figures: Figure[] = [];
    for (const size of sizes) {
      for (const mode of modes.filter((one) => size <= one.maxSize))
        figures.push(...(await measureMode(stage, mode, size)));
    }
    return [...figures, ...(await measureEncryption(stage)), ...(await measurePeak())];
  } finally {
    await stage.close();
    await database.close();
  }
}

async function openDatabase(): Promise<{ url: string; close(): Promise<void> }> {
  enterSandboxEnvironment();
  const directory = await mkdtemp(join(tmpdir(), 'keyferry-bench-'));
  const server = await startEmbeddedPostgres({ directory, persistent: false });
  await migrate(server.url);
  return {
    url: server.url,
    close: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const keyOf = (index: number) => `KEY_${String(index).padStart(5, '0')}`;
const valueOf = (mode: Mode, index: number) => String(index).padEnd(mode.valueBytes, 'x');

async function measureMode(stage: Stage, mode: Mode, size: number): Promise<readonly Figure[]> {
  const startedAt = performance.now();
  const measured = await runCases(stage, mode, size);
  process.stderr.write(`${mode.name}@${String(size)}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s\n`);
  const goal = goals[mode.name](size);
  const [lower, infisical] = [mode.lowerBound(size), mode.infisical(size)];
  const calls = cases.map((one): Figure => ({
    name: `${mode.name}.${one}.calls@${String(size)}`,
    value: measured[one],
    unit: describe(measured[one], { lower: lower[one], infisical: infisical[one] }),
    goal: `<= ${String(goal[one])}`,
  }));
  const tagged = {
    name: `${mode.name}.first.calls-tagged@${String(size)}`,
    value: measured.firstTagged,
    unit: describe(measured.firstTagged, { lower: lower.first, infisical: undefined }),
    goal: `<= ${String(goal.first)}`,
  };
  const seconds = {
    name: `${mode.name}.first.seconds@${String(size)}`,
    value: round(measured.seconds),
    unit: 's, without quotas and network',
    goal: '',
  };
  return [...calls, tagged, seconds];
}

/**
 * Compared with the bound and, where known, with Infisical: how many of its calls one keyferry call
 * replaces.
 */
function describe(calls: number, other: { readonly lower: number; readonly infisical: number | undefined }): string {
  const { lower, infisical } = other;
  if (infisical === undefined) return `calls (lower bound ${String(lower)})`;
  const ratio = calls === 0 ? '' : `, ratio ${(infisical / calls).toFixed(1)}`;
  return `calls (lower bound ${String(lower)}, Infisical ${String(infisical)}${ratio})`;
}

async function runCases(stage: Stage, mode: Mode, size: number): Promise<Measured> {
  const world = await fill(stage, mode, size);
  const { id } = await world.createSync(mode.input);
  const startedAt = performance.now();
  const first = await world.runUntilDone(id, alone);
  const seconds = (performance.now() - startedAt) / 1_000;
  mustSucceed(first.outcome);
  const row = await world.row(id);
  await world.syncs.update(row, { syncOptions: row.syncOptions }, 'bench');
  const unchanged = await world.runUntilDone(id, alone);
  mustSucceed(unchanged.outcome);
  world.clock.advance(HOUR);
  const asked = await world.runUntilDone(id, { ...alone, request: 'sync' });
  mustSucceed(asked.outcome);
  const drift = await world.runScheduled(id);
  mustSucceed(drift.outcome);
  await world.set({ [keyOf(0)]: valueOf(mode, 99_999) });
  const one = await world.runUntilDone(id, alone);
  mustSucceed(one.outcome);
  world.clock.advance(HOUR);
  await world.set(values(mode, size, 100_000));
  const all = await world.runUntilDone(id, alone);
  mustSucceed(all.outcome);
  const calls = {
    first: total(first.calls),
    unchanged: total(unchanged.calls),
    'asked-unchanged': total(asked.calls),
    drift: total(drift.calls),
    'one-changed': total(one.calls),
    changed: total(all.calls),
  };
  return { ...calls, seconds, firstTagged: await runTagged(stage, mode, size) };
}

async function runTagged(stage: Stage, mode: Mode, size: number): Promise<number> {
  const world = await fill(stage, mode, size);
  const tags = Array.from({ length: 5 }, (_, index) => ({ key: `tag-${String(index)}`, value: 'bench' }));
  const { id } = await world.createSync({ ...mode.input, syncOptions: { tags } });
  const { outcome, calls } = await world.runUntilDone(id, alone);
  mustSucceed(outcome);
  return total(calls);
}

async function fill(stage: Stage, mode: Mode, size: number): Promise<World> {
  const world = await createWorld(stage);
  await world.set(values(mode, size));
  return world;
}

function values(mode: Mode, size: number, from = 0): Record<string, string> {
  return Object.fromEntries(Array.from({ length: size }, (_, index) => [keyOf(index), valueOf(mode, from + index)]));
}

function mustSucceed(outcome: { readonly status: string }): void {
  if (outcome.status !== 'succeeded') throw new Error(`The sync did not succeed: ${JSON.stringify(outcome)}`);
}

/**
 * Decryption and fingerprints of 1,000 values of 1 KB, beside the wall time of their first sync
 * without network or quotas: the worst case.
 */
async function measureEncryption(stage: Stage): Promise<readonly Figure[]> {
  const [mode] = modes;
  if (!mode) return [];
  const size = 1_000;
  const world = await fill(stage, mode, size);
  const { id } = await world.createSync(mode.input);
  const startedAt = performance.now();
  await world.runUntilDone(id, alone);
  const wallMs = performance.now() - startedAt;
  const fingerprint = await createFingerprintKeys(stage.handle.db, stage.encryption).forOrg(world.orgId);
  const place = secretPlace({ orgId: world.orgId, folderId: world.folder.id, key: 'K', revision: 1 });
  const ciphertext = await stage.encryption.encrypt(valueOf(mode, 1), place);
  const cryptoAt = performance.now();
  for (let index = 0; index < size; index += 1) {
    const value = await stage.encryption.decrypt(ciphertext, place);
    fingerprint(
      fingerprintInput({
        syncId: id,
        remoteName: keyOf(index),
        key: keyOf(index),
        value,
        settings: { keyId: null, tags: {} },
      }),
    );
  }
  // Each value is read twice: to check it and to write it.
  const cryptoMs = 2 * (performance.now() - cryptoAt);
  return [
    {
      name: 'encryption.share@1000',
      value: round(cryptoMs / wallMs),
      unit: `of ${String(Math.round(wallMs))} ms`,
      goal: '<= 0.05',
    },
  ];
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
