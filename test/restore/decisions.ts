/**
 * What a person does about a restored installation, by what keyferry says: which side of a sync
 * counts, and which key is in use.
 */
import { clearKeys } from './people.ts';
import { unlessRefused } from './runs.ts';
import { findConsumers, findKeys, findSync, type Scene } from './scene.ts';

export async function decide(scene: Scene): Promise<void> {
  await clearKeys(scene);
  const acts = scene.random.chance(0.5) ? [decideRotation, decideSyncs] : [decideSyncs, decideRotation];
  for (const act of acts) await act(scene);
}

/** Hands the key over that consumers hold; what nobody holds is removed at AWS. */
async function decideRotation(scene: Scene): Promise<void> {
  const { rotation, rotationId, story, world } = scene;
  const row = await rotation.row(rotationId);
  if (row.statusCode !== 'KEY_RESTORED' || scene.random.chance(0.2)) return;
  const held = findConsumers(scene).filter((one) => one.works && row.statusMessage?.includes(one.pair.accessKeyId));
  const [consumer] = held;
  if (consumer) {
    story.push(`adopt ${consumer.pair.accessKeyId}`);
    await rotation.rotations.adoptKey(row, consumer.pair);
    return;
  }
  const unheld = findKeys(scene).filter((key) => row.statusMessage?.includes(key.accessKeyId));
  for (const { accessKeyId } of unheld.filter((key) => key.accessKeyId !== scene.people.stubborn?.accessKeyId)) {
    story.push(`delete ${accessKeyId}`);
    world.sandbox.deleteAccessKey({ accessKeyId });
  }
}

async function decideSyncs(scene: Scene): Promise<void> {
  const { world, syncs, random, story } = scene;
  for (const { id } of syncs) {
    const row = await findSync(scene, id);
    if (!row || row.drift !== 'drifted') continue;
    const choice = random.pick(['destination', 'source', 'nothing']);
    story.push(`accept ${choice}`);
    if (choice === 'nothing') continue;
    const asked =
      choice === 'destination'
        ? { kind: 'import' as const, parameters: { acceptDestination: true } }
        : { kind: 'sync' as const, parameters: { acceptSource: true } };
    await unlessRefused(() => world.requests.open({ ...asked, orgId: world.orgId, subjectId: id, actor: 'ann' }));
  }
}
