/** Syncs to Parameter Store: what happens in the folder reaches AWS, and nothing else does. */
import { parameterMetadata, parameterTags, parameterTypes, parameterValues, parameterVersions } from '../readings.ts';
import { openScene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

const WRITES = ['ssm.PutParameter', 'ssm.DeleteParameters', 'ssm.AddTagsToResource', 'ssm.RemoveTagsFromResource'];

export const PARAMETER_STORIES: readonly Story[] = [
  { name: 'parameters: first, unchanged, changed, deleted', lane: 'short', queues: 'redis', tell: lifeOfParameters },
  { name: 'parameters, queues in PostgreSQL', lane: 'short', queues: 'postgres', tell: lifeOfParameters },
  { name: 'parameters: tags, tier, KMS key, key schema', lane: 'full', queues: 'redis', tell: options },
  { name: 'parameters: a sync that runs only when asked', lane: 'full', queues: 'redis', tell: manual },
  { name: 'parameters: the brake', lane: 'full', queues: 'redis', tell: brake },
];

async function lifeOfParameters(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const values = () => parameterValues(scene.account, path);

  const first = await step('first sync', async () => {
    await scene.set({ A: 'one', B: 'two', C: 'three' });
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  await check('the first sync writes every secret', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
  await check('the first sync needs one PutParameter a secret', () => expectEqual(first.calls['ssm.PutParameter'], 3));
  await check('parameters are SecureString', async () =>
    expectEqual(await parameterTypes(scene.account, path), { A: 'SecureString', B: 'SecureString', C: 'SecureString' }),
  );
  await check('parameters carry the tag of the sync', async () => {
    const { 'keyferry:sync': owner = '' } = await parameterTags(scene.account, `${path}A`);
    expectTrue(owner.endsWith(String((await scene.row())['id'])), `the tag is ${owner}`);
  });
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));

  const asked = await step('an asked-for run with nothing to do', () => scene.sync('run'));
  await check('an asked-for run with nothing to do writes nothing', () => {
    expectEqual(
      WRITES.filter(
        (operation) =>
          operation in asked.calls && operation !== 'ssm.AddTagsToResource' && operation !== 'ssm.DeleteParameters',
      ),
      [],
    );
  });
  const woken = await step('a job of an outside producer with nothing to do', async () =>
    installation.addJob('sync', 'sync', { syncId: (await scene.row())['id'] }),
  );
  await check('an outside job with nothing to do costs no call', () => expectEqual(woken.calls, {}));

  const changed = await step('one secret changed', () => scene.set({ B: 'two again' }));
  await check('the changed value is at AWS, and only it', async () => {
    expectEqual(await values(), { A: 'one', B: 'two again', C: 'three' });
    expectEqual(await parameterVersions(scene.account, path), { A: 1, B: 2, C: 1 });
  });
  await check('one changed secret costs one PutParameter', () => expectEqual(changed.calls['ssm.PutParameter'], 1));

  await step('one secret added and one removed', async () => {
    await scene.set({ D: 'four' });
    await scene.unset('A');
  });
  await check('the removed secret is gone, the added one there', async () =>
    expectEqual(await values(), { B: 'two again', C: 'three', D: 'four' }),
  );

  await step('removal of everything', () => scene.sync('remove'));
  await check('`sync remove` leaves nothing of ours', async () => expectEqual(await values(), {}));
  await step('the sync deleted', () => scene.sync('delete'));
  await check('the sync is gone', async () => expectEqual(await scene.row(), {}));
}

async function options(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await step('first sync with options', async () => {
    await scene.set({ TOKEN: 'v1' });
    await scene.createSync(
      `--to parameter-store --prefix ${path} --tag team=shop --tag stage=prod --tier advanced --key-schema APP_{{secretKey}}`,
    );
  });
  const name = `${path}APP_TOKEN`;
  await check('the key schema names the parameter', async () =>
    expectEqual(await parameterValues(scene.account, path), { APP_TOKEN: 'v1' }),
  );
  await check('the tags are set', async () => {
    const { team, stage } = await parameterTags(scene.account, name);
    expectEqual([team, stage], ['shop', 'prod']);
  });
  await check('the tier is advanced', async () =>
    expectEqual((await parameterMetadata(scene.account, name))['Tier'], 'Advanced'),
  );

  await step('tags changed', () => scene.sync('update', '--tag team=web'));
  await check('a tag that is not wanted any more goes, the changed one is there', async () => {
    const tags = await parameterTags(scene.account, name);
    expectEqual([tags['team'], tags['stage']], ['web', undefined]);
  });

  await scene.account.call('ssm', 'add_tags_to_resource', {
    ResourceType: 'Parameter',
    ResourceId: name,
    Tags: [{ Key: 'cost-center', Value: '7' }],
  });
  await step('a value changed beside a tag of somebody else', () => scene.set({ TOKEN: 'v2' }));
  await check('the tag of somebody else stays', async () => {
    const tags = await parameterTags(scene.account, name);
    expectEqual([tags['cost-center'], tags['team']], ['7', 'web']);
  });
  await step('a KMS key given', () => scene.sync('update', '--kms-key alias/shop'));
  await check('the KMS key is used', async () =>
    expectEqual((await parameterMetadata(scene.account, name))['KeyId'], 'alias/shop'),
  );
}

async function manual(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const values = () => parameterValues(scene.account, path);
  const created = await step('a sync created with --no-auto', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to parameter-store --prefix ${path} --no-auto`);
  });
  await check('creating it makes no call', () => expectEqual(created.calls, {}));
  const planned = await step('its plan', () => scene.sync('plan'));
  await check('a plan leads to no write', async () => {
    expectEqual(planned.calls['ssm.PutParameter'], undefined);
    expectEqual(await values(), {});
  });
  await step('its check', () => scene.sync('check'));
  await check('a check leads to no write', async () => expectEqual(await values(), {}));
  const changed = await step('its folder changed', () => scene.set({ A: 'two' }));
  await check('a changed folder makes no call', () => expectEqual(changed.calls, {}));
  await step('asked to run', () => scene.sync('run'));
  await check('it writes when asked', async () => expectEqual(await values(), { A: 'two' }));
  await step('moved', () => scene.sync('update', `--prefix ${path}new/`));
  await step('planned after the move', () => scene.sync('plan'));
  await check('neither the move nor its plan changes anything', async () => expectEqual(await values(), { A: 'two' }));
  await step('paused and resumed', async () => {
    await scene.sync('pause');
    await scene.sync('resume');
  });
  await check('neither pause nor resume changes anything', async () => expectEqual(await values(), { A: 'two' }));
  await step('asked to run after the move', () => scene.sync('run'));
  await check('the move is done when asked', async () => expectEqual(await values(), { 'new/A': 'two' }));
}

async function brake(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const keys = Array.from({ length: 14 }, (_, index) => `K${String(index)}`);
  const all = Object.fromEntries(keys.map((key) => [key, 'v']));
  await step('fourteen secrets synced', async () => {
    await scene.set(all);
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  await step('the folder emptied', () => scene.unset(...keys));
  await check('the sync is blocked', async () => expectEqual((await scene.row())['sync_status'], 'blocked'));
  await check('nothing is deleted', async () => expectEqual(await parameterValues(scene.account, path), all));
  await step('a wrong number confirmed', () => scene.sync('run', '--confirm-deletions 13'));
  await check('a wrong number deletes nothing', async () =>
    expectEqual(await parameterValues(scene.account, path), all),
  );
  const confirmed = await step('the deletions confirmed', () => scene.sync('run', '--confirm-deletions 14'));
  await check('the confirmed deletions happen', async () =>
    expectEqual(await parameterValues(scene.account, path), {}),
  );
  await check('fourteen deletions need two calls', () => expectEqual(confirmed.calls['ssm.DeleteParameters'], 2));
}
