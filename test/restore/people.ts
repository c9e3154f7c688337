/**
 * What people do between runs: in the folder, with syncs and rotations, and at AWS behind
 * keyferry's back.
 */
import { sql } from 'drizzle-orm';

import { REGION } from '../integration/sync/world.ts';
import { ACCOUNT } from '../integration/rotation/world.ts';
import { BYSTANDER } from '../sweep/destinations.ts';
import type { Random } from './random.ts';
import { pass, runDue, unlessRefused } from './runs.ts';
import {
  change,
  DATA_KEYS,
  DAY,
  findConsumers,
  findKeys,
  findSync,
  HOUR,
  MINUTE,
  type PlacedSync,
  readAws,
  type Scene,
  TAKEN,
} from './scene.ts';

type Deed = readonly [name: string, weight: number, act: (scene: Scene) => Promise<unknown>];

const deeds: readonly Deed[] = [
  ['edit', 5, (scene) => change(scene.rotation, { [anyKey(scene.random)]: newValue(scene) })],
  ['drop', 2, (scene) => change(scene.rotation, { [anyKey(scene.random)]: null })],
  ['take a taken name', 1, (scene) => change(scene.rotation, { [TAKEN]: newValue(scene) })],
  ['edit at AWS', 2, (scene) => editAtAws(scene)],
  ['delete at AWS', 1, (scene) => deleteAtAws(scene)],
  ['join the JSON secret', 1, (scene) => joinDocument(scene)],
  [
    'rename',
    1,
    (scene) => update(scene, (sync) => ({ syncOptions: { ...sync.syncOptions, keySchema: anySchema(scene.random) } })),
  ],
  ['move', 1, (scene) => move(scene)],
  ['ask', 2, (scene) => ask(scene, scene.random.pick(['sync', 'check', 'plan']))],
  ['remove', 1, (scene) => remove(scene)],
  [
    'pause a sync',
    1,
    (scene) => withSync(scene, ({ world }, row) => (row.pausedAt ? world.syncs.resume(row) : world.syncs.pause(row))),
  ],
  ['rotate', 4, (scene) => withRotation(scene, (stores, row) => stores.request(row, {}, 'ann'))],
  ['rotate in an emergency', 1, (scene) => emergency(scene)],
  ['cancel', 2, (scene) => withRotation(scene, (stores, row) => stores.cancel(row, 'ann'))],
  ['reactivate', 2, (scene) => withRotation(scene, (stores, row) => stores.reactivate(row, 'ann'))],
  ['make a key', 1, (scene) => makeKey(scene)],
  ['activate a key', 2, (scene) => activateKey(scene)],
  ['keep a key', 1, (scene) => keepKey(scene)],
];

const total = deeds.reduce((sum, [, weight]) => sum + weight, 0);

/** Something happens, time passes, and some of what is due runs; perhaps not all of it. */
export async function live(scene: Scene, events: number): Promise<void> {
  const { random } = scene;
  for (let event = 0; event < events; event += 1) {
    await happen(scene);
    await pass(scene, random.pick([0, MINUTE, 20 * MINUTE, 3 * HOUR, DAY, 4 * DAY]));
    await runDue(scene, { runs: random.between(0, 7), withinMs: random.pick([0, MINUTE, HOUR]) });
  }
}

async function happen(scene: Scene): Promise<void> {
  let left = scene.random.next() * total;
  const deed = deeds.find(([, weight]) => (left -= weight) < 0);
  if (!deed) return;
  const [name, , act] = deed;
  scene.story.push(name);
  await unlessRefused(() => act(scene));
}

const anyKey = (random: Random): string => random.pick([...DATA_KEYS]);
const anySchema = (random: Random) => random.pick([undefined, 'NEW_{{secretKey}}']);

function newValue({ people }: Scene): string {
  people.values += 1;
  return `value-${String(people.values)}`;
}

/** Objects that hold values of people, neither pairs nor what belongs to others. */
function dataNames(scene: Scene): readonly string[] {
  return [...readAws(scene).keys()].filter((name) => /[/_][ABCD]$/.test(name) && !name.endsWith(BYSTANDER));
}

async function editAtAws(scene: Scene): Promise<void> {
  const { world, random } = scene;
  const [name, ...more] = dataNames(scene);
  if (name === undefined) return;
  const [place = '', path = ''] = random.pick([name, ...more]).split(' ');
  const value = newValue(scene);
  if (place === 'ssm') world.sandbox.foreign.putParameter({ ...world.at, name: path, value });
  else if (place === 'secret') world.sandbox.foreign.putSecret({ ...world.at, name: path, value });
  else editDocument(scene, { path, value });
  await Promise.resolve();
}

function editDocument({ world }: Scene, { path, value }: { path: string; value: string }): void {
  const slash = path.lastIndexOf('/');
  const [name, key] = [path.slice(0, slash), path.slice(slash + 1)];
  const found = world.sandbox.inspect.secret({ ...world.at, name });
  if (!found || found.deletedAt !== undefined) return;
  const content = { ...(JSON.parse(found.value ?? '{}') as Record<string, string>), [key]: value };
  world.sandbox.foreign.putSecret({ ...world.at, name, value: JSON.stringify(content) });
}

async function joinDocument(scene: Scene): Promise<void> {
  if (readAws(scene).has(`json prod-all/${BYSTANDER}`)) return;
  editDocument(scene, { path: `prod-all/${BYSTANDER}`, value: 'of somebody else' });
  await Promise.resolve();
}

async function deleteAtAws(scene: Scene): Promise<void> {
  const { world, random } = scene;
  const [name, ...more] = dataNames(scene).filter((one) => !one.startsWith('json '));
  if (name === undefined) return;
  const [place = '', path = ''] = random.pick([name, ...more]).split(' ');
  if (place === 'ssm') world.sandbox.foreign.deleteParameter({ ...world.at, name: path });
  else world.sandbox.foreign.deleteSecret({ ...world.at, name: path });
  await Promise.resolve();
}

type Row = NonNullable<Awaited<ReturnType<typeof findSync>>>;

async function withSync(
  scene: Scene,
  act: (scene: Scene, row: Row, placed: PlacedSync) => Promise<unknown>,
): Promise<void> {
  const [first, ...more] = scene.syncs;
  if (!first) return;
  const placed = scene.random.pick([first, ...more]);
  const row = await findSync(scene, placed.id);
  if (row) await act(scene, row, placed);
}

const update = (scene: Scene, toChanges: (row: Row, placed: PlacedSync) => object) =>
  withSync(scene, ({ world }, row, placed) => world.syncs.update(row, toChanges(row, placed), 'ann'));

const move = (scene: Scene) =>
  update(scene, (row, { destination }) => {
    const home = destination.input.destinationConfig ?? { region: REGION, path: '/app/prod/' };
    const isHome = JSON.stringify(row.destinationConfig) === JSON.stringify(home);
    return { destinationConfig: isHome ? destination.movedConfig : home };
  });

const ask = (scene: Scene, kind: 'sync' | 'check' | 'plan') =>
  withSync(scene, ({ world }, row) =>
    world.requests.open({ orgId: world.orgId, kind, subjectId: row.id, parameters: {}, actor: 'ann' }),
  );

const remove = (scene: Scene) =>
  withSync(scene, async ({ world, people }, row) => {
    people.removed.add(row.id);
    await world.requests.open({ orgId: world.orgId, kind: 'remove', subjectId: row.id, parameters: {}, actor: 'ann' });
  });

type Rotations = Scene['rotation']['rotations'];

async function withRotation(
  { rotation, rotationId }: Scene,
  act: (stores: Rotations, row: Awaited<ReturnType<Rotations['byId']>>) => Promise<unknown>,
): Promise<void> {
  await act(rotation.rotations, await rotation.row(rotationId));
}

/** Waits for nobody's use of the old key: until it is served, no consumer may be stubborn. */
const emergency = (scene: Scene) =>
  withRotation(scene, async (stores, row) => {
    scene.people.stubborn = undefined;
    await stores.request(row, { emergency: true }, 'ann');
  });

/** A person has asked that the old key goes at once, whoever uses it. */
async function isEmergencyOpen({ rotationId, stage }: Scene): Promise<boolean> {
  const [row] = await stage.handle.db.execute<{ is_open: boolean }>(sql`
    select coalesce((r.phase_state #>> '{cycle,isEmergency}')::boolean, false) or exists (
      select from keyferry.requests q
      where q.subject_id = r.id and q.done_at is null and (q.parameters ->> 'emergency')::boolean
    ) as is_open
    from keyferry.rotations r where r.id = ${rotationId}`);
  return row?.is_open === true;
}

const address = ({ rotation: { userName } }: Scene) => ({ accountId: ACCOUNT, userName });

async function makeKey(scene: Scene): Promise<void> {
  if (findKeys(scene).length > 1) return;
  const { accessKeyId } = scene.world.sandbox.createAccessKey(address(scene));
  scene.people.keys.set(accessKeyId, 'Active');
  await Promise.resolve();
}

/** A consumer turned out to need it. */
async function activateKey(scene: Scene): Promise<void> {
  const key = findKeys(scene).find(({ status }) => status === 'Inactive');
  if (!key) return;
  scene.world.sandbox.setAccessKeyStatus({ accessKeyId: key.accessKeyId, status: 'Active' });
  if (!(await isEmergencyOpen(scene))) scene.people.stubborn = key;
  await scene.rotation.use(key);
}

async function keepKey(scene: Scene): Promise<void> {
  const [first, ...more] = findConsumers(scene).filter((one) => one.works);
  if (!first) return;
  const { pair } = scene.random.pick([first, ...more]);
  if (!(await isEmergencyOpen(scene))) scene.people.stubborn = pair;
  await scene.rotation.use(pair);
}

/**
 * Whoever made a key that nobody else knows deletes it in the end: it would block the rotation for
 * ever.
 */
export async function clearKeys(scene: Scene): Promise<void> {
  for (const accessKeyId of scene.people.keys.keys()) scene.world.sandbox.deleteAccessKey({ accessKeyId });
  scene.people.keys.clear();
  await scene.stage.handle.db.execute(
    sql`update keyferry.rotations set next_due_at = now()
      where id = ${scene.rotationId} and paused_at is null`,
  );
}
