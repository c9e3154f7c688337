/** The states from which rotations start, and what must come of each. */
import {
  ACCOUNT,
  DAY,
  DOCUMENTED_ACTIONS,
  SECOND,
  type Pair,
  type World,
  type WorldOptions,
} from '../integration/rotation/world.ts';

export interface Arranged {
  readonly id: string;
  /** Keys that people made: they must never change. */
  readonly persons: readonly string[];
}

export interface Scenario {
  readonly name: string;
  readonly options?: WorldOptions;
  arrange(world: World): Promise<Arranged>;
  /**
   * `rotated`: a new key works everywhere and the old one is gone. `kept`: nothing changed, with
   * this verdict. `blocked`: a person must decide. `revoked`: no key of ours is left.
   */
  readonly ends: 'rotated' | 'revoked' | { readonly kept: string } | { readonly blocked: readonly string[] };
  /** Also played with many crashes at once. */
  readonly isStormy?: boolean;
  /** Published before the crash points begin. */
  readonly isPublished?: boolean;
  /** Consumers are cut off on purpose. */
  readonly isCutOff?: boolean;
  /**
   * Syncs run only so long after the publication; of the polls meanwhile, which are all alike, the
   * first two are crash points.
   */
  readonly syncsAfterMs?: number;
  /** What a person does at AWS while keyferry is down. Returns the keys that are theirs. */
  readonly meanwhile?: (world: World) => Promise<readonly string[]>;
  /** Only operations of this name are hit, and only so. */
  readonly only?: { readonly operation: string; readonly modes: readonly string[] };
}

const short = { graceSeconds: 600, quietSeconds: 600, holdSeconds: 600 };
const user = (world: World) => ({ accountId: ACCOUNT, userName: world.userName });

async function adopted(world: World): Promise<Arranged & { pair: Pair }> {
  const pair = world.sandbox.createAccessKey(user(world));
  await world.addSync('to-ssm');
  const { id } = await world.createRotation({ ...short, adoptKey: pair });
  await world.folders.change(await world.folders.get(world.folderId), consumersOf(pair), 'merge');
  await world.runSyncs();
  await world.runOnce(id);
  return { id, persons: [], pair };
}

/** What consumers hold before keyferry came. */
function consumersOf(pair: Pair) {
  return [
    { key: 'KEY_ID', value: pair.accessKeyId },
    { key: 'SECRET_KEY', value: pair.secretAccessKey },
  ];
}

async function ask(world: World, id: string, wish: object = {}): Promise<void> {
  await world.rotations.request(await world.row(id), wish, 'ann');
}

/** Runs until the row is in this phase. */
async function until(world: World, id: string, phase: string): Promise<void> {
  for (let runs = 0; runs < 40; runs += 1) {
    const outcome = await world.runOnce(id);
    await world.runSyncs();
    if ((await world.row(id)).phase === phase) return;
    if (outcome.status === 'continued')
      world.clock.advance(Math.max(0, outcome.at.getTime() - world.clock.now().getTime()));
  }
  throw new Error(`The rotation never was in phase ${phase}.`);
}

async function rotatedOnce(world: World): Promise<string> {
  await world.addSync('to-ssm');
  await world.addSync('to-secrets-manager');
  const { id } = await world.createRotation(short);
  await until(world, id, 'idle');
  return id;
}

/** A person makes a key while keyferry is down. */
function makesKey(world: World): readonly string[] {
  return [world.sandbox.createAccessKey(user(world)).accessKeyId];
}

const never = 400 * DAY;

export const scenarios: readonly Scenario[] = [
  {
    name: 'no key',
    isStormy: true,
    ends: 'rotated',
    arrange: async (world) => {
      await world.addSync('to-ssm');
      return { id: (await world.createRotation(short)).id, persons: [] };
    },
  },
  {
    name: 'one adopted key, rotated on request',
    isStormy: true,
    ends: 'rotated',
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'one adopted key, and a sync that takes longer than grace and quiet time',
    ends: 'rotated',
    syncsAfterMs: 660 * SECOND,
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'one key of ours, due by schedule',
    ends: 'rotated',
    arrange: async (world) => {
      const id = await rotatedOnce(world);
      world.clock.advance(31 * DAY);
      return { id, persons: [] };
    },
  },
  {
    name: 'one key of ours, without permission for last-used and GetUser',
    isStormy: true,
    options: { actions: DOCUMENTED_ACTIONS },
    ends: 'rotated',
    arrange: async (world) => {
      const id = await rotatedOnce(world);
      world.clock.advance(31 * DAY);
      return { id, persons: [] };
    },
  },
  {
    name: 'a slow AWS: keys work after 15 s, lists lag by 10 s',
    isStormy: true,
    options: {
      timing: {
        keyVisibleMs: [15 * SECOND, 15 * SECOND],
        listAccessKeysMs: [10 * SECOND, 10 * SECOND],
        keyRevokedMs: [3_000, 4_000],
      },
    },
    ends: 'rotated',
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'AWS as it is: every delay at random',
    options: { timing: 'realistic' },
    ends: 'rotated',
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'the connection rotates its own key',
    isStormy: true,
    options: { isSelf: true },
    ends: 'rotated',
    arrange: async (world) => {
      await world.addSync('to-ssm');
      return { id: (await world.createRotation(short)).id, persons: [] };
    },
  },
  {
    name: 'our active key was deleted at AWS',
    ends: 'rotated',
    arrange: async (world) => {
      const id = await rotatedOnce(world);
      const { accessKeyId } = await world.published();
      world.sandbox.deleteAccessKey({ accessKeyId: accessKeyId ?? '' });
      await ask(world, id);
      return { id, persons: [] };
    },
    isCutOff: true,
  },
  {
    name: 'two live keys, and an emergency in the quiet phase',
    ends: 'rotated',
    arrange: async (world) => {
      const id = await rotatedOnce(world);
      await ask(world, id);
      await until(world, id, 'quiet');
      await ask(world, id, { emergency: true });
      return { id, persons: [] };
    },
  },
  {
    name: 'an emergency that revokes at once',
    ends: 'rotated',
    isCutOff: true,
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id, { emergency: true, revokeNow: true });
      return { id, persons: [] };
    },
  },
  {
    name: 'an inactive key of ours, brought back during the hold',
    ends: 'rotated',
    isPublished: true,
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      await until(world, id, 'hold');
      await world.rotations.reactivate(await world.row(id), 'ann');
      return { id, persons: [] };
    },
  },
  {
    name: 'a key that never works',
    options: { timing: { keyVisibleMs: [never, never] } },
    ends: { kept: 'KEY_VERIFY_TIMEOUT' },
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'a cancellation while the new key is verified',
    options: { timing: { keyVisibleMs: [never, never] } },
    ends: { kept: 'KEY_ROTATION_CANCELLED' },
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      await until(world, id, 'verifying');
      await world.rotations.cancel(await world.row(id), 'ann');
      return { id, persons: [] };
    },
  },
  {
    name: 'all keys revoked on the way out',
    ends: 'revoked',
    isCutOff: true,
    arrange: async (world) => {
      const { id } = await adopted(world);
      await ask(world, id);
      await until(world, id, 'hold');
      await world.rotations.revokeKeys(await world.row(id), 'ann');
      return { id, persons: [] };
    },
  },
  {
    name: 'one foreign key, active',
    ends: { blocked: ['KEY_FOREIGN'] },
    arrange: async (world) => {
      const persons = makesKey(world);
      return { id: (await world.createRotation(short)).id, persons };
    },
  },
  {
    name: 'one key of ours and a foreign one, inactive',
    ends: { blocked: ['KEY_FOREIGN'] },
    arrange: async (world) => {
      const { id } = await adopted(world);
      const [accessKeyId = ''] = makesKey(world);
      world.sandbox.setAccessKeyStatus({ accessKeyId, status: 'Inactive' });
      await ask(world, id);
      return { id, persons: [accessKeyId] };
    },
  },
  {
    name: 'two foreign keys',
    ends: { blocked: ['KEY_FOREIGN'] },
    arrange: async (world) => {
      const persons = [...makesKey(world), ...makesKey(world)];
      return { id: (await world.createRotation(short)).id, persons };
    },
  },
  {
    name: 'an orphan in quarantine beside our key, and the next rotation',
    ends: 'rotated',
    arrange: async (world) => {
      await world.addSync('to-ssm');
      const { id } = await world.createRotation(short);
      world.sandbox.faults.add({ operation: 'CreateAccessKey', nth: 1, action: 'drop-after' });
      await until(world, id, 'idle');
      await ask(world, id);
      return { id, persons: [] };
    },
  },
  {
    name: 'a person makes a key while the answer of ours is lost',
    ends: { blocked: ['KEY_AMBIGUOUS', 'KEY_FOREIGN'] },
    arrange: async (world) => ({ id: (await world.createRotation(short)).id, persons: [] }),
    meanwhile: (world) => Promise.resolve(makesKey(world)),
    only: { operation: 'CreateAccessKey', modes: ['after', 'lost'] },
  },
  {
    name: 'a person makes a key soon after a call that had no effect',
    ends: { blocked: ['KEY_FOREIGN'] },
    arrange: async (world) => ({ id: (await world.createRotation(short)).id, persons: [] }),
    meanwhile: (world) => {
      world.clock.advance(20 * SECOND);
      return Promise.resolve(makesKey(world));
    },
    only: { operation: 'CreateAccessKey', modes: ['before', 'failed'] },
  },
  {
    name: 'a person makes a key during a call that had no effect, and uses it',
    ends: { blocked: ['KEY_AMBIGUOUS', 'KEY_FOREIGN'] },
    arrange: async (world) => ({ id: (await world.createRotation(short)).id, persons: [] }),
    meanwhile: async (world) => {
      const pair = world.sandbox.createAccessKey(user(world));
      await world.use(pair);
      return [pair.accessKeyId];
    },
    only: { operation: 'CreateAccessKey', modes: ['before', 'failed'] },
  },
];
