/**
 * What a restore is tried on: one folder with values and a rotated key, syncs of it to several
 * destinations, consumers that hold what the destinations hold, and objects and keys at AWS that
 * belong to somebody else. Real processors, real claims and settlements, one sandbox.
 */
import { sql } from 'drizzle-orm';

import type { AwsSandbox } from '../../src/sandbox/aws/index.ts';
import type { SyncRow } from '../../src/db/engine/subjects.ts';
import * as rotating from '../integration/rotation/world.ts';
import * as syncing from '../integration/sync/world.ts';
import type { Stage } from '../support/stage.ts';
import { BYSTANDER, DESTINATIONS, type Destination } from '../sweep/destinations.ts';
import type { Random } from './random.ts';

export const { MINUTE, HOUR, DAY } = syncing;

export interface PlacedSync {
  readonly id: string;
  readonly destination: Destination;
}

export interface Scene {
  readonly stage: Stage;
  readonly random: Random;
  readonly world: syncing.World;
  readonly rotation: rotating.World;
  readonly rotationId: string;
  readonly syncs: readonly PlacedSync[];
  readonly people: People;
  /** Violations, in words. */
  readonly problems: string[];
  /** What happened, for a point that is played again. */
  readonly story: string[];
  /** Hooked into every call of a sync; `open` counts those that are under way. */
  readonly onCall: { before: (() => Promise<void>) | undefined; open: number };
  /** The one that runs now; a restored database gets a new one. */
  worker: syncing.Worker;
}

/** What people made at AWS, which no run may touch. */
export interface People {
  /** Access keys of the IAM user that a person made and that no rotation adopted: id → status. */
  readonly keys: Map<string, string>;
  /** Syncs that a person asked to remove: their objects may go. */
  readonly removed: Set<string>;
  /** A consumer that took its pair once and keeps it. */
  stubborn: rotating.Pair | undefined;
  values: number;
}

export const DATA_KEYS = ['A', 'B', 'C', 'D'] as const;
const OTHER_INSTALLATION = 'ffffffff-0000-4000-8000-000000000000/eeeeeeee-0000-4000-8000-000000000000';
/** A name that another installation has taken. */
export const TAKEN = 'OTHER';

/**
 * The sandbox has the seed of the point, too: its answers do not depend on the points before it.
 */
export async function createScene(stage: Stage, random: Random, seed: number): Promise<Scene> {
  await emptyDatabase(stage);
  const onCall: Scene['onCall'] = { before: undefined, open: 0 };
  const world = await syncing.createWorld(stage, {
    sandbox: { timing: 'late-last-use', seed },
    wrapHandle: (handle) => async (request) => {
      await onCall.before?.();
      onCall.open += 1;
      return handle(request).finally(() => (onCall.open -= 1));
    },
  });
  const { clock, sandbox, orgId } = world;
  const rotation = await rotating.furnish(stage, {}, { clock, sandbox, orgId, suffix: orgId.slice(4) });
  const scene = { stage, random, world, rotation, onCall, problems: [], story: [], worker: world };
  const people = { keys: new Map<string, string>(), removed: new Set<string>(), stubborn: undefined, values: 0 };
  const syncs = await placeSyncs(scene);
  const { id: rotationId } = await rotation.createRotation(drawTimes(random));
  return { ...scene, people, syncs, rotationId };
}

/** As of a new installation. */
export async function emptyDatabase({ handle }: Stage): Promise<void> {
  const tables = await handle.client<{ name: string }[]>`
    select string_agg('keyferry.' || tablename, ', ') as name from pg_tables
    where schemaname = 'keyferry' and tablename not in ('migrations', 'installation')`;
  await handle.client.unsafe(`truncate ${tables[0]?.name ?? ''}`);
  await handle.db.execute(sql`
    update keyferry.installation
    set id = gen_random_uuid(), epoch = 1, epoch_started_at = null, counter = 0, seen_at = null,
      guard_reason = null,
      guarded_at = null, name = null, system_identifier = null, database_name = null,
      timeline = null`);
}

function drawTimes(random: Random) {
  const seconds = (hours: number) => (hours * HOUR) / 1_000;
  return {
    graceSeconds: seconds(random.pick([0, 1, 24])),
    quietSeconds: seconds(random.pick([6, 24])),
    holdSeconds: seconds(random.pick([1, 24, 72])),
    rotationIntervalDays: random.pick([1, 3, 30]),
  };
}

type Unplaced = Pick<Scene, 'world' | 'rotation' | 'random'>;

async function placeSyncs({ world, rotation, random }: Unplaced): Promise<readonly PlacedSync[]> {
  await change(rotation, Object.fromEntries(DATA_KEYS.slice(0, 3).map((key) => [key, `${key}-0`])));
  const first = random.below(DESTINATIONS.length);
  const count = random.between(1, 2);
  const placed: PlacedSync[] = [];
  for (let index = 0; index < count; index += 1) {
    const destination = DESTINATIONS[(first + index) % DESTINATIONS.length];
    if (!destination) continue;
    putOthers(world, destination);
    const { id } = await world.createSync({
      ...destination.input,
      folderId: rotation.folderId,
      syncOptions: { drift: random.pick(['detect', 'repair']) },
    });
    placed.push({ id, destination });
  }
  return placed;
}

/** A JSON secret is nobody else's as a whole: a stranger's key joins it later. */
function putOthers(world: syncing.World, destination: Destination): void {
  if (destination.name === 'a JSON secret') return;
  destination.putForeign(world, BYSTANDER, 'of somebody else');
  destination.putForeign(world, TAKEN, 'of another installation');
  const name = destination.name === 'parameters' ? `/app/prod/${TAKEN}` : `prod/${TAKEN}`;
  const tags = { 'keyferry:sync': OTHER_INSTALLATION };
  if (destination.name === 'parameters') world.sandbox.foreign.tagParameter({ ...world.at, name, tags });
  else world.sandbox.foreign.tagSecret({ ...world.at, name, tags });
}

export async function change(rotation: rotating.World, values: Readonly<Record<string, string | null>>): Promise<void> {
  const folder = await rotation.folders.get(rotation.folderId);
  await rotation.folders.change(
    folder,
    Object.entries(values).map(([key, value]) => ({ key, value })),
    'merge',
  );
}

export async function findSync({ world }: Scene, id: string): Promise<SyncRow | undefined> {
  return world.row(id).catch(() => undefined);
}

/** What is at AWS: `<place> <name>` → value. Keys of JSON secrets count one by one. */
export function readAws({ world: { sandbox, at } }: Scene): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, value } of sandbox.inspect.parameters({ ...at, prefix: '/' })) found.set(`ssm ${name}`, value);
  for (const secret of sandbox.inspect.secrets({ ...at, prefix: '' })) {
    if (secret.deletedAt !== undefined || secret.value === undefined) continue;
    if (!secret.name.endsWith('-all')) found.set(`secret ${secret.name}`, secret.value);
    else for (const [key, value] of readDocument(secret.value)) found.set(`json ${secret.name}/${key}`, value);
  }
  return found;
}

function readDocument(text: string): readonly (readonly [string, string])[] {
  return Object.entries(JSON.parse(text) as Record<string, string>);
}

/** A consumer: where it reads its pair, and what it finds there. */
export interface Consumer {
  readonly service: string;
  readonly prefix: string;
  readonly pair: rotating.Pair;
  readonly works: boolean;
}

export function findConsumers(scene: Scene): readonly Consumer[] {
  const found = readAws(scene);
  return [...found].flatMap(([name, accessKeyId]) => {
    if (!name.endsWith('KEY_ID')) return [];
    const prefix = name.slice(0, -'KEY_ID'.length);
    const secretAccessKey = found.get(`${prefix}SECRET_KEY`);
    if (secretAccessKey === undefined) return [];
    const pair = { accessKeyId, secretAccessKey };
    return [{ service: prefix.split(' ')[0] ?? '', prefix, pair, works: scene.rotation.works(pair) }];
  });
}

export interface InspectedKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly status: string;
}

export function findKeys({ rotation }: Scene): readonly InspectedKey[] {
  return rotation.sandbox.inspect.accessKeys({ accountId: rotating.ACCOUNT, userName: rotation.userName });
}

const MUTATION = /^(Put|Create|Update|Delete|Restore|Tag|Untag|Add|Remove|Replicate|Label)/;

/** Calls that change something, since then. */
export function mutationsSince(sandbox: AwsSandbox, before: number): readonly string[] {
  return sandbox.calls
    .list()
    .slice(before)
    .filter(({ service, operation }) => service !== 'sts' && MUTATION.test(operation))
    .map(({ service, operation }) => `${service}.${operation}`);
}
