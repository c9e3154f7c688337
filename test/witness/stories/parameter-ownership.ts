/** Whose a parameter is: adoption, conflicts, imports, moves. */
import { parameterTags, parameterValues, parameterVersions } from '../readings.ts';
import { openScene, type Scene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const PARAMETER_OWNERSHIP_STORIES: readonly Story[] = [
  { name: 'parameters that exist already: conflict, then adopted', lane: 'short', queues: 'redis', tell: adopted },
  { name: 'parameters imported by the first run', lane: 'full', queues: 'redis', tell: imported },
  { name: 'parameters moved', lane: 'short', queues: 'redis', tell: moved },
  { name: 'parameters moved to names that AWS refuses', lane: 'full', queues: 'redis', tell: movedNowhere },
  { name: 'parameters of a deleted sync', lane: 'full', queues: 'redis', tell: madeAnew },
  { name: 'parameters of two syncs', lane: 'full', queues: 'redis', tell: twoSyncs },
];

async function createParameter(scene: Scene, name: string, value: string): Promise<void> {
  await scene.account.call('ssm', 'put_parameter', {
    Name: `/${scene.id}/${name}`,
    Value: value,
    Type: 'SecureString',
    Tags: [{ Key: 'team', Value: 'theirs' }],
  });
}

async function adopted(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const values = () => parameterValues(scene.account, path);
  await createParameter(scene, 'A', 'theirs');
  const first = await step('first sync onto a name that exists', async () => {
    await scene.set({ A: 'ours', B: 'two' });
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  await check('the existing parameter stays, the other is written', async () =>
    expectEqual(await values(), { A: 'theirs', B: 'two' }),
  );
  await check('the sync is partial', async () => expectEqual((await scene.row())['sync_status'], 'partial'));
  await check('the conflict costs no second PutParameter', () =>
    expectTrue((first.calls['ssm.PutParameter'] ?? 0) <= 2, JSON.stringify(first.calls)),
  );
  const { json: plan } = await scene.sync('plan');
  await check('the plan shows the conflict', () => {
    const changes = plan['changes'] as readonly { readonly action: string; readonly key: string }[];
    expectEqual(
      changes.map(({ action, key }) => `${action} ${key}`),
      ['conflict A'],
    );
  });
  await step('adoption allowed', () => scene.sync('update', '--on-existing adopt'));
  await check('the adopted parameter has our value', async () => expectEqual(await values(), { A: 'ours', B: 'two' }));
  await check('the adopted parameter has our tag beside theirs', async () => {
    const tags = await parameterTags(scene.account, `${path}A`);
    expectTrue((tags['keyferry:sync'] ?? '').endsWith(String((await scene.row())['id'])), JSON.stringify(tags));
    expectEqual(tags['team'], 'theirs');
  });
  await check('adopting made one version', async () =>
    expectEqual(await parameterVersions(scene.account, path), { A: 2, B: 1 }),
  );
  await step('the adopted key changed', () => scene.set({ A: 'ours again' }));
  await check('the change is at AWS', async () => expectEqual(await values(), { A: 'ours again', B: 'two' }));
  await createParameter(scene, 'X', 'nobody asked');
  await step('removal', () => scene.sync('remove'));
  await check('`sync remove` deletes ours and leaves theirs', async () =>
    expectEqual(await values(), { X: 'nobody asked' }),
  );
}

async function imported(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await createParameter(scene, 'A', 'theirs');
  await createParameter(scene, 'B', 'only theirs');
  await step('first sync that imports, the destination first', async () => {
    await scene.set({ A: 'ours', C: 'only ours' });
    await scene.createSync(
      `--to parameter-store --prefix ${path} --on-existing adopt --initial import-prioritize-destination`,
    );
  });
  await check('the folder has what was only at AWS', async () => expectEqual(await scene.keys(), ['A', 'B', 'C']));
  await check('the value of the destination won', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'theirs', B: 'only theirs', C: 'only ours' }),
  );
  await step('a value changed after the import', () => scene.set({ A: 'ours now' }));
  await check('an import is not repeated', async () =>
    expectEqual((await parameterValues(scene.account, path))['A'], 'ours now'),
  );
  await createParameter(scene, 'D', 'later');
  await step('imported when asked, the source first', () => scene.sync('import', '--prioritize source'));
  await check('what is new at AWS is in the folder', async () => expectEqual(await scene.keys(), ['A', 'B', 'C', 'D']));
  await check('the values are as they were', async () =>
    expectEqual(await parameterValues(scene.account, path), {
      A: 'ours now',
      B: 'only theirs',
      C: 'only ours',
      D: 'later',
    }),
  );
}

async function moved(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const values = () => parameterValues(scene.account, path);
  await step('first sync', async () => {
    await scene.set({ A: 'one', B: 'two' });
    await scene.createSync(`--to parameter-store --prefix ${path}old/`);
  });
  const move = await step('moved to another prefix', () => scene.sync('update', `--prefix ${path}new/`));
  await check('everything is under the new prefix only', async () =>
    expectEqual(await values(), { 'new/A': 'one', 'new/B': 'two' }),
  );
  await check('the new ones are written before the old ones are deleted', () => {
    const order = move.recorded.filter(({ error }) => error === undefined).map(({ operation }) => operation);
    expectTrue(order.lastIndexOf('ssm.PutParameter') < order.lastIndexOf('ssm.DeleteParameters'), order.join(' '));
  });
  await step('another key schema', () => scene.sync('update', '--key-schema APP_{{secretKey}}'));
  await check('everything has its new name only', async () =>
    expectEqual(await values(), { 'new/APP_A': 'one', 'new/APP_B': 'two' }),
  );
  await step('moved onto a name that is taken', async () => {
    await createParameter(scene, 'taken/APP_A', 'theirs');
    await scene.sync('update', `--prefix ${path}taken/`);
  });
  await check('the old one stays where the new one could not be written', async () => {
    const found = await values();
    expectEqual(
      [found['taken/APP_A'], found['new/APP_A'], found['taken/APP_B'], found['new/APP_B']],
      ['theirs', 'one', 'two', undefined],
    );
  });
}

async function movedNowhere(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const before = { A: 'one', B: 'two' };
  await step('first sync', async () => {
    await scene.set(before);
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  for (const prefix of [`/aws/${id}/`, `/ssm${id}/`]) {
    await step(`moved to ${prefix}`, () => scene.sync('update', `--prefix ${prefix}`));
    await check(`nothing is lost by a move to ${prefix}`, async () =>
      expectEqual(await parameterValues(scene.account, path), before),
    );
  }
  const levels = Array.from({ length: 16 }, (_, index) => `l${String(index)}`).join('/');
  await step('moved to sixteen levels', () => scene.sync('update', `--prefix /${levels}/`));
  await check('nothing is lost by a move to sixteen levels', async () =>
    expectEqual(await parameterValues(scene.account, path), before),
  );
  await step('a value emptied during a move', async () => {
    await installation.run(`secrets set --project shop --env prod --path /${id}`, JSON.stringify({ A: '' }));
    await scene.sync('update', `--prefix ${path}moved/`);
  });
  await check('the last copy of an emptied key stays', async () => {
    const found = await parameterValues(scene.account, path);
    expectTrue(found['A'] === 'one' || found['moved/A'] !== undefined, JSON.stringify(found));
  });
}

async function madeAnew(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const values = () => parameterValues(scene.account, path);
  const flags = `--to parameter-store --prefix ${path}`;
  await step('first sync', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(flags);
  });
  await step('the sync deleted, its objects left', () => scene.sync('delete', '--abandon'));
  await check('what it wrote stays', async () => expectEqual(await values(), { A: 'one' }));
  await step('the same sync made again, with adopt', async () => {
    await scene.createSync(`${flags} --on-existing adopt`);
    await scene.set({ A: 'two' });
  });
  await check('the new sync takes over what the old one left', async () => expectEqual(await values(), { A: 'two' }));
  await check('the new sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
  await step('deleted with what it wrote', () => scene.sync('delete', '--remove-secrets'));
  await check('`--remove-secrets` leaves nothing', async () => expectEqual(await values(), {}));
}

async function twoSyncs(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await step('first sync', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  const twin = await installation.run(
    `sync create --name ${id}-twin --connection ${id} --project shop --env prod --path /${id} --region eu-west-1 --to parameter-store --prefix ${path} --on-existing adopt`,
  );
  await check('a second sync onto the same names is refused', () => expectTrue(twin.code !== 0, twin.text));
  await step('a second sync whose names meet only for one key', async () => {
    await installation.must(
      `secrets set --project shop --env prod --path /${id}/other`,
      JSON.stringify({ A: 'from the other folder' }),
    );
    await installation.run(
      `sync create --name ${id}-other --connection ${id} --project shop --env prod --path /${id}/other --region eu-west-1 --to parameter-store --prefix ${path} --key-schema {{secretKey}} --on-existing adopt`,
    );
  });
  await check('what another sync owns is not overwritten', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'one' }),
  );
}
