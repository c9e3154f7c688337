/** Syncs to Secrets Manager, one secret for each key. */
import { describeSecret, editSecret, secretTags, secretValue, secretValues, secretVersionCount } from '../readings.ts';
import { openScene, type Scene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const SECRET_STORIES: readonly Story[] = [
  { name: 'secrets: first, unchanged, changed, deleted, restored', lane: 'short', queues: 'redis', tell: life },
  { name: 'secrets, queues in PostgreSQL', lane: 'full', queues: 'postgres', tell: life },
  { name: 'secrets edited and deleted from outside', lane: 'full', queues: 'redis', tell: edited },
  { name: 'secrets untagged from outside', lane: 'full', queues: 'redis', tell: untagged },
  { name: 'secrets that exist already: conflict, then adopted', lane: 'full', queues: 'redis', tell: adopted },
  { name: 'secrets imported and moved', lane: 'full', queues: 'redis', tell: importedAndMoved },
];

async function open(context: StoryContext, flags = ''): Promise<Scene> {
  const scene = await openScene(context, { secretPrefix: `${context.id}/` });
  await context.step('first sync', async () => {
    await scene.set({ A: 'one', B: 'two', C: 'three' });
    await scene.createSync(`--to secrets-manager --mapping one-to-one --prefix ${context.id}/ ${flags}`);
  });
  return scene;
}

async function life(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const scene = await open(context);
  const values = () => secretValues(scene.account, `${id}/`);
  await check('the first sync writes every secret', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
  await check('secrets carry the tag of the sync', async () => {
    const { 'keyferry:sync': owner = '' } = await secretTags(scene.account, `${id}/A`);
    expectTrue(owner.endsWith(String((await scene.row())['id'])), `the tag is ${owner}`);
  });
  const woken = await step('a job of an outside producer with nothing to do', async () =>
    installation.addJob('sync', 'sync', { syncId: (await scene.row())['id'] }),
  );
  await check('an outside job with nothing to do costs no call', () => expectEqual(woken.calls, {}));
  const asked = await step('an asked-for run with nothing to do', () => scene.sync('run'));
  await check('an asked-for run with nothing to do writes nothing', async () => {
    expectEqual(asked.calls['secretsmanager.UpdateSecret'], undefined);
    expectEqual(await secretVersionCount(scene.account, `${id}/A`), 1);
  });
  const changed = await step('one secret changed', () => scene.set({ B: 'two again' }));
  await check('the changed value is at AWS', async () =>
    expectEqual(await values(), { A: 'one', B: 'two again', C: 'three' }),
  );
  await check('one changed secret costs one UpdateSecret', () =>
    expectEqual(changed.calls['secretsmanager.UpdateSecret'], 1),
  );
  await check('one changed secret makes one version', async () =>
    expectEqual(await secretVersionCount(scene.account, `${id}/B`), 2),
  );
  await step('one key removed', () => scene.unset('C'));
  await check('the secret of the removed key waits for its deletion', async () => {
    expectEqual(await values(), { A: 'one', B: 'two again' });
    expectTrue((await describeSecret(scene.account, `${id}/C`))['DeletedDate'] !== undefined, 'no DeletedDate');
  });
  await step('the removed key set again', () => scene.set({ C: 'three again' }));
  await check('our own secret is restored', async () =>
    expectEqual(await values(), { A: 'one', B: 'two again', C: 'three again' }),
  );
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
  await step('removal', () => scene.sync('remove'));
  await check('`sync remove` leaves nothing of ours', async () => expectEqual(await values(), {}));
}

async function edited(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await open(context);
  const values = () => secretValues(scene.account, `${id}/`);
  await editSecret(scene.account, `${id}/A`, 'edited');
  await scene.account.call('secretsmanager', 'delete_secret', {
    SecretId: `${id}/B`,
    ForceDeleteWithoutRecovery: true,
  });
  let json: Readonly<Record<string, unknown>> = {};
  const checked = await step('a check after an edit and a deletion', async () => {
    json = (await scene.sync('check')).json;
  });
  await check('young secrets are looked at, or the check says that they were not', async () => {
    const isSeen = (await scene.row())['drift'] === 'drifted';
    expectTrue(
      isSeen || /not looked|young|skipped/i.test(JSON.stringify(json)),
      JSON.stringify({ json, ...checked.calls }),
    );
  });
  await check('a check changes nothing at AWS', async () => expectEqual(await values(), { A: 'edited', C: 'three' }));
  await step('asked to run', () => scene.sync('run'));
  await check('the run puts ours back', async () => expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }));
  await scene.account.call('secretsmanager', 'delete_secret', { SecretId: `${id}/C`, RecoveryWindowInDays: 7 });
  await step('asked to run after a scheduled deletion', () => scene.sync('run'));
  await check('what somebody scheduled for deletion is restored', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
}

async function untagged(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await open(context);
  const values = () => secretValues(scene.account, `${id}/`);
  for (const key of ['A', 'B', 'C'])
    await scene.account.call('secretsmanager', 'untag_resource', {
      SecretId: `${id}/${key}`,
      TagKeys: ['keyferry:sync'],
    });
  await step('a value changed after the tag was removed', () => scene.set({ A: 'new' }));
  await check('what lost our tag is not overwritten', async () => expectEqual((await values())['A'], 'one'));
  await step('a key removed after the tag was removed', () => scene.unset('B'));
  await check('what lost our tag is not deleted', async () => expectEqual((await values())['B'], 'two'));
  await step('removal after the tags were removed', () => scene.sync('remove'));
  await check('`sync remove` leaves what lost our tag', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
}

async function adopted(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openScene(context, { secretPrefix: `${id}/` });
  const values = () => secretValues(scene.account, `${id}/`);
  const create = (name: string, more: Readonly<Record<string, unknown>> = {}) =>
    scene.account.call('secretsmanager', 'create_secret', { Name: `${id}/${name}`, SecretString: 'theirs', ...more });
  await create('A', { Tags: [{ Key: 'team', Value: 'theirs' }] });
  await create('R', { Tags: [{ Key: 'keyferry:sync', Value: '00000000-0000-4000-8000-000000000000' }] });
  await step('first sync onto names that exist', async () => {
    await scene.set({ A: 'ours', B: 'two', R: 'ours' });
    await scene.createSync(`--to secrets-manager --mapping one-to-one --prefix ${id}/`);
  });
  await check('the existing secrets stay', async () =>
    expectEqual(await values(), { A: 'theirs', B: 'two', R: 'theirs' }),
  );
  await check('the sync is partial', async () => expectEqual((await scene.row())['sync_status'], 'partial'));
  await step('adoption allowed', () => scene.sync('update', '--on-existing adopt'));
  await check('the adopted secret has our value, that of another sync does not', async () =>
    expectEqual(await values(), { A: 'ours', B: 'two', R: 'theirs' }),
  );
  await check('the tags of others stay', async () =>
    expectEqual((await secretTags(scene.account, `${id}/A`))['team'], 'theirs'),
  );
  await step('the sync deleted with what it wrote', () => scene.sync('delete', '--remove-secrets'));
  await check('what is of another sync stays', async () => expectEqual(await values(), { R: 'theirs' }));
}

async function importedAndMoved(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openScene(context, { secretPrefix: `${id}/` });
  const values = () => secretValues(scene.account, `${id}/`);
  await scene.account.call('secretsmanager', 'create_secret', { Name: `${id}/old/A`, SecretString: 'theirs' });
  await step('first sync that imports, the source first', async () => {
    await scene.set({ B: 'two' });
    await scene.createSync(
      `--to secrets-manager --mapping one-to-one --prefix ${id}/old/ --on-existing adopt --initial import-prioritize-source`,
    );
  });
  await check('the folder has what was only at AWS', async () => expectEqual(await scene.keys(), ['A', 'B']));
  await check('both are at AWS', async () => expectEqual(await values(), { 'old/A': 'theirs', 'old/B': 'two' }));
  await step('moved', () => scene.sync('update', `--prefix ${id}/new/`));
  await check('everything is under the new prefix only', async () =>
    expectEqual(await values(), { 'new/A': 'theirs', 'new/B': 'two' }),
  );
  let update = { code: 0 as number | null, text: '' };
  await step('moved into one JSON secret', async () => {
    update = await scene.sync('update', `--mapping many-to-one --secret-name ${id}/all`);
  });
  await check('one mapping can be changed into the other', () => {
    expectTrue(update.code === 0, update.text);
  });
  await check('the JSON secret holds everything', async () =>
    expectEqual(JSON.parse(await secretValue(scene.account, `${id}/all`)), { A: 'theirs', B: 'two' }),
  );
  await check('the single secrets are gone', async () => expectEqual(Object.keys(await values()), ['all']));
}
