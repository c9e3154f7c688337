/** Syncs into one JSON secret that others may use too. */
import { describeSecret, editSecret, secretDocument, secretTags, secretVersionCount } from '../readings.ts';
import { openScene, type Scene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const DOCUMENT_STORIES: readonly Story[] = [
  { name: 'JSON secret: first, unchanged, changed, deleted', lane: 'short', queues: 'redis', tell: life },
  { name: 'JSON secret, queues in PostgreSQL', lane: 'full', queues: 'postgres', tell: life },
  { name: 'JSON secret edited from outside', lane: 'full', queues: 'redis', tell: edited },
  { name: 'JSON secret untagged from outside', lane: 'full', queues: 'redis', tell: untagged },
  { name: 'JSON secret that exists already: conflict, then adopted', lane: 'full', queues: 'redis', tell: adopted },
  { name: 'JSON secret without a value, adopted', lane: 'full', queues: 'redis', tell: withoutValue },
];

const nameOf = ({ id }: { readonly id: string }): string => `${id}/all`;

async function open(context: StoryContext): Promise<Scene> {
  const scene = await openScene(context, { secretName: nameOf(context) });
  await context.step('first sync', async () => {
    await scene.set({ A: 'one', B: 'two', C: 'three' });
    await scene.createSync(`--to secrets-manager --mapping many-to-one --secret-name ${nameOf(context)}`);
  });
  return scene;
}

async function life(context: StoryContext): Promise<void> {
  const { check, installation, step } = context;
  const name = nameOf(context);
  const scene = await open(context);
  const document = () => secretDocument(scene.account, name);
  await check('the secret holds every key', async () =>
    expectEqual(await document(), { A: 'one', B: 'two', C: 'three' }),
  );
  await check('the secret carries the tag of the sync', async () => {
    const { 'keyferry:sync': owner = '' } = await secretTags(scene.account, name);
    expectTrue(owner.endsWith(String((await scene.row())['id'])), `the tag is ${owner}`);
  });
  const woken = await step('a job of an outside producer with nothing to do', async () =>
    installation.addJob('sync', 'sync', { syncId: (await scene.row())['id'] }),
  );
  await check('an outside job with nothing to do costs no call', () => expectEqual(woken.calls, {}));
  await step('one key changed, one added, one removed', async () => {
    await scene.set({ B: 'two again', D: 'four' });
    await scene.unset('A');
  });
  await check('the secret follows', async () =>
    expectEqual(await document(), { B: 'two again', C: 'three', D: 'four' }),
  );
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`K${String(index)}`, 'v']));
  const before = await secretVersionCount(scene.account, name);
  await step('thirty keys at once', () => scene.set(many));
  await check('thirty keys at once make one version', async () =>
    expectEqual((await secretVersionCount(scene.account, name)) - before, 1),
  );
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
  await step('removal', () => scene.sync('remove'));
  await check('a secret that holds nothing of others is deleted', async () =>
    expectTrue((await describeSecret(scene.account, name))['DeletedDate'] !== undefined, 'no DeletedDate'),
  );
}

async function edited(context: StoryContext): Promise<void> {
  const { check, step } = context;
  const name = nameOf(context);
  const scene = await open(context);
  const document = () => secretDocument(scene.account, name);
  await editSecret(scene.account, name, JSON.stringify({ A: 'edited', B: 'two', C: 'three', theirs: 1.5 }));
  await step('a check after an edit', () => scene.sync('check'));
  await check('the edit is drift', async () => expectEqual((await scene.row())['drift'], 'drifted'));
  await check('a check changes nothing', async () =>
    expectEqual(await document(), { A: 'edited', B: 'two', C: 'three', theirs: 1.5 }),
  );
  await step('asked to run', () => scene.sync('run'));
  await check('ours is put back, theirs stays', async () =>
    expectEqual(await document(), { A: 'one', B: 'two', C: 'three', theirs: 1.5 }),
  );
  await step('a value changed beside theirs', () => scene.set({ C: 'changed' }));
  await check('theirs still stays', async () =>
    expectEqual(await document(), { A: 'one', B: 'two', C: 'changed', theirs: 1.5 }),
  );
  await step('a key of ours that collides with theirs', () => scene.set({ theirs: 'ours' }));
  await check('their key is not overwritten', async () =>
    expectEqual(((await document()) as Record<string, unknown>)['theirs'], 1.5),
  );
  await scene.unset('theirs');
  await editSecret(scene.account, name, 'no JSON at all');
  const broken = await step('a value changed after somebody broke the document', () => scene.set({ C: 'again' }));
  await check('what is no JSON object is left alone', async () => {
    const { SecretString } = await scene.account.call('secretsmanager', 'get_secret_value', { SecretId: name });
    expectEqual(SecretString, 'no JSON at all');
  });
  await check('the sync says so', async () =>
    expectTrue(
      (await scene.row())['sync_status'] !== 'succeeded',
      `sync_status is succeeded after ${JSON.stringify(broken.calls)}`,
    ),
  );
}

async function untagged(context: StoryContext): Promise<void> {
  const { check, step } = context;
  const name = nameOf(context);
  const scene = await open(context);
  const before = { A: 'one', B: 'two', C: 'three' };
  await scene.account.call('secretsmanager', 'untag_resource', { SecretId: name, TagKeys: ['keyferry:sync'] });
  await step('a value changed after the tag was removed', () => scene.set({ A: 'new' }));
  await check('what lost our tag is not overwritten', async () =>
    expectEqual(await secretDocument(scene.account, name), before),
  );
  await step('a key removed after the tag was removed', () => scene.unset('B'));
  await check('no key of what lost our tag is removed', async () =>
    expectEqual(await secretDocument(scene.account, name), before),
  );
  await step('removal after the tag was removed', () => scene.sync('remove'));
  await check('`sync remove` leaves what lost our tag', async () =>
    expectEqual(await secretDocument(scene.account, name), before),
  );
}

async function adopted(context: StoryContext): Promise<void> {
  const { check, step } = context;
  const name = nameOf(context);
  const scene = await openScene(context, { secretName: name });
  const document = () => secretDocument(scene.account, name);
  const theirs = { A: 'theirs', X: [1, { deep: true }] };
  await scene.account.call('secretsmanager', 'create_secret', { Name: name, SecretString: JSON.stringify(theirs) });
  await step('first sync onto a secret that exists', async () => {
    await scene.set({ A: 'ours', B: 'two' });
    await scene.createSync(`--to secrets-manager --mapping many-to-one --secret-name ${name}`);
  });
  await check('the existing secret stays', async () => expectEqual(await document(), theirs));
  await check('the sync does not claim success', async () =>
    expectTrue((await scene.row())['sync_status'] !== 'succeeded', 'sync_status is succeeded'),
  );
  await step('adoption allowed', () => scene.sync('update', '--on-existing adopt'));
  await check('ours is in, theirs stays', async () =>
    expectEqual(await document(), { A: 'ours', B: 'two', X: [1, { deep: true }] }),
  );
  await step('removal', () => scene.sync('remove'));
  await check('`sync remove` takes out ours only', async () =>
    expectEqual(((await document()) as Record<string, unknown>)['X'], [1, { deep: true }]),
  );
}

async function withoutValue(context: StoryContext): Promise<void> {
  const { check, step } = context;
  const name = nameOf(context);
  const scene = await openScene(context, { secretName: name });
  await scene.account.call('secretsmanager', 'create_secret', { Name: name });
  const first = await step('first sync onto a secret that never had a value', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to secrets-manager --mapping many-to-one --secret-name ${name} --on-existing adopt`);
  });
  await check('the secret without a value counts as empty', async () =>
    expectEqual(await secretDocument(scene.account, name), { A: 'one' }),
  );
  await check('it needs no more than a few calls', () => {
    const total = Object.values(first.calls).reduce((sum, count) => sum + count, 0);
    expectTrue(total < 25, JSON.stringify(first.calls));
  });
}
