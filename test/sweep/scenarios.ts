/** From what state a run starts, what it is for, and what must be there in the end. */
import { sql } from 'drizzle-orm';
import type { RunInput, SyncInput, World } from '../integration/sync/world.ts';
import type { Destination, Place } from './destinations.ts';

export interface Scenario {
  readonly name: string;
  /** The folder when the sync is created. Default: A and B. */
  readonly folder?: Readonly<Record<string, string>>;
  readonly options?: NonNullable<SyncInput['syncOptions']>;
  readonly isManual?: boolean;
  /** Before the sync is created. */
  prepare?(world: World): Promise<void>;
  /** What somebody else made before. */
  readonly foreign?: Readonly<Record<string, string>>;
  /** The faults hit the first run; default: they hit the run after `change`. */
  readonly isFirstRun?: boolean;
  /** A bystander would be imported. */
  readonly hasNoBystander?: boolean;
  change?(world: World, syncId: string, destination: Destination): Promise<unknown>;
  /** What a person asks for; undefined: the change itself makes the sync due. */
  readonly asks?: RunInput;
  /** What happens between the fault and the recovery. */
  between?(world: World, syncId: string): Promise<void>;
  /** Key → value at AWS in the end. */
  readonly expected: Readonly<Record<string, string>>;
  readonly place?: Place;
  /** The status in the end; default succeeded. */
  readonly status?: string;
  /** The folder in the end, where a run changes it. */
  readonly expectedFolder?: Readonly<Record<string, string>>;
  /** The sync itself is gone in the end. */
  readonly isDeleted?: boolean;
}

const FOLDER = { A: '1', B: '2' };

/**
 * A value that cannot be decrypted is a problem of its entry, and no reason to delete what is at
 * AWS.
 */
async function breakValue(world: World, key = 'BROKEN'): Promise<void> {
  await world.stage.handle.db.execute(
    sql`update keyferry.secrets set value = 'v1.other.AAAA', revision = revision + 1
      where folder_id = ${world.folder.id} and key = ${key}`,
  );
}

async function update(world: World, syncId: string, changes: object): Promise<void> {
  await world.syncs.update(await world.row(syncId), changes, 'ann');
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'first sync', isFirstRun: true, expected: FOLDER },
  { name: 'first sync of a manual one', isFirstRun: true, isManual: true, asks: { request: 'sync' }, expected: FOLDER },
  {
    name: 'change',
    change: (world) => world.set({ A: '9', B: null, C: '3' }),
    expected: { A: '9', C: '3' },
  },
  {
    name: 'change of a manual one',
    isManual: true,
    change: (world) => world.set({ A: '9', C: '3' }),
    asks: { request: 'sync' },
    expected: { A: '9', B: '2', C: '3' },
  },
  {
    name: 'adopt',
    isFirstRun: true,
    options: { onExisting: 'adopt' },
    foreign: { A: 'theirs' },
    expected: FOLDER,
  },
  {
    name: 'move',
    change: async (world, id, { movedConfig }) => update(world, id, { destinationConfig: movedConfig }),
    expected: FOLDER,
    place: 'moved',
  },
  {
    name: 'rename',
    change: async (world, id) =>
      update(world, id, { syncOptions: { ...(await world.row(id)).syncOptions, keySchema: 'NEW_{{secretKey}}' } }),
    expected: { NEW_A: '1', NEW_B: '2' },
  },
  {
    name: 'a change in a folder below',
    options: { recursive: true, keySchema: '{{folder}}_{{secretKey}}' },
    prepare: async (world) => {
      await world.setBelow('db', { C: '3', D: '4' });
    },
    change: (world) => world.setBelow('db', { C: '9', D: null, E: '5' }),
    expected: { api_A: '1', api_B: '2', db_C: '9', db_E: '5' },
  },
  {
    name: 'the folders below are left out',
    options: { recursive: true, keySchema: '{{folder}}_{{secretKey}}' },
    prepare: async (world) => {
      await world.setBelow('db', { C: '3', D: '4' });
    },
    change: async (world, id) =>
      update(world, id, { syncOptions: { ...(await world.row(id)).syncOptions, recursive: false } }),
    expected: { api_A: '1', api_B: '2' },
  },
  {
    name: 'another KMS key of a replica',
    options: { replicaRegions: ['us-east-1'] },
    prepare: (world) => {
      world.sandbox.createKmsKey({ accountId: world.accountId, region: 'us-east-1', alias: 'alias/replica' });
      return Promise.resolve();
    },
    change: async (world, id) =>
      update(world, id, {
        syncOptions: { ...(await world.row(id)).syncOptions, replicaKeys: { 'us-east-1': 'alias/replica' } },
      }),
    expected: FOLDER,
  },
  {
    name: 'a pause in between',
    change: (world) => world.set({ A: '9' }),
    between: async (world, id) => {
      await world.syncs.pause(await world.row(id));
      await world.syncs.resume(await world.row(id));
    },
    expected: { A: '9', B: '2' },
  },
  {
    name: 'import, destination first',
    isFirstRun: true,
    hasNoBystander: true,
    options: { onExisting: 'adopt', initialSyncBehavior: 'import-prioritize-destination' },
    foreign: { A: 'theirs', Z: 'theirs too' },
    expected: { A: 'theirs', B: '2', Z: 'theirs too' },
    expectedFolder: { A: 'theirs', B: '2', Z: 'theirs too' },
  },
  { name: 'remove', asks: { request: 'remove' }, expected: {} },
  {
    name: 'remove and delete the sync',
    asks: { request: 'remove', parameters: { deleteAfterRemove: true } },
    expected: {},
    isDeleted: true,
  },
  {
    name: 'an entry with a problem',
    folder: { ...FOLDER, BROKEN: '3' },
    prepare: (world) => breakValue(world),
    isFirstRun: true,
    expected: FOLDER,
    status: 'partial',
  },
  {
    name: 'an entry that gets a problem',
    change: async (world) => {
      await world.set({ A: '9' });
      await breakValue(world, 'B');
    },
    expected: { A: '9', B: '2' },
    status: 'partial',
  },
];
