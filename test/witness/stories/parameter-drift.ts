/** What somebody else does to our parameters, and what keyferry makes of it. */
import { editParameter, parameterTags, parameterTypes, parameterValues, parameterVersions } from '../readings.ts';
import { openScene, type Scene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const PARAMETER_DRIFT_STORIES: readonly Story[] = [
  { name: 'parameters edited from outside', lane: 'full', queues: 'redis', tell: edited },
  { name: 'parameters deleted from outside', lane: 'full', queues: 'redis', tell: deleted },
  { name: 'parameters untagged from outside', lane: 'full', queues: 'redis', tell: untagged },
  { name: 'parameters retyped from outside', lane: 'full', queues: 'redis', tell: retyped },
  { name: 'parameters deleted and made again from outside', lane: 'full', queues: 'redis', tell: madeAgain },
  { name: 'parameters repaired by themselves', lane: 'full', queues: 'redis', tell: repaired },
];

/** Reads right after a write may lag, so what is missing within a minute of it proves nothing. */
const SETTLED_MS = 62_000;

async function open(context: StoryContext, flags = ''): Promise<Scene> {
  const path = `/${context.id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await context.step('first sync', async () => {
    await scene.set({ A: 'one', B: 'two', C: 'three' });
    await scene.createSync(`--to parameter-store --prefix ${path} ${flags}`);
  });
  return scene;
}

/** Of the last `sync check` or `sync run`. */
function driftIn(json: Readonly<Record<string, unknown>>): readonly string[] {
  const { drift = [] } = (json['result'] ?? {}) as { readonly drift?: readonly { readonly remoteName: string }[] };
  return drift.map(({ remoteName }) => remoteName).sort();
}

async function edited(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await open(context);
  const values = () => parameterValues(scene.account, path);
  await step('a check with nothing changed', () => scene.sync('check'));
  await check('no drift is reported', async () => expectEqual((await scene.row())['drift'], 'none'));

  await editParameter(scene.account, `${path}A`, 'edited');
  let found: readonly string[] = [];
  const checked = await step('a check after an edit', async () => {
    found = driftIn((await scene.sync('check')).json);
  });
  await check('the edited parameter is reported, and no other', () => expectEqual(found, [`${path}A`]));
  await check('the sync is drifted', async () => expectEqual((await scene.row())['drift'], 'drifted'));
  await check('a check reads no value and writes nothing', () => {
    const names = Object.keys(checked.calls).filter((name) => /Put|Delete|AddTags|RemoveTags/.test(name));
    expectEqual(names, []);
  });
  await check('a check changes nothing at AWS', async () =>
    expectEqual(await values(), { A: 'edited', B: 'two', C: 'three' }),
  );

  const run = await step('asked to run', () => scene.sync('run'));
  await check('the run puts our value back', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
  await check('the run writes the edited parameter only', () => expectEqual(run.calls['ssm.PutParameter'], 1));

  await editParameter(scene.account, `${path}B`, 'edited too');
  await step('asked to run without a check before', () => scene.sync('run'));
  await check('an asked-for run looks for itself', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );

  await editParameter(scene.account, `${path}C`, 'kept');
  await step('imported with priority for the destination', () => scene.sync('import', '--prioritize destination'));
  await step('asked to run after the import', () => scene.sync('run'));
  await check('what was imported stays', async () => expectEqual(await values(), { A: 'one', B: 'two', C: 'kept' }));
  await step('a check at the end', () => scene.sync('check'));
  await check('no drift is left', async () => expectEqual((await scene.row())['drift'], 'none'));
}

async function deleted(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await open(context);
  const values = () => parameterValues(scene.account, path);
  await context.sleep(SETTLED_MS);
  await scene.account.call('ssm', 'delete_parameter', { Name: `${path}B` });
  let found: readonly string[] = [];
  await step('a check after a deletion', async () => {
    found = driftIn((await scene.sync('check')).json);
  });
  await check('the missing parameter is reported', () => expectEqual(found, [`${path}B`]));
  const run = await step('asked to run', () => scene.sync('run'));
  await check('the run makes it again', async () => expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }));
  await check('the run writes one parameter', () => expectEqual(run.calls['ssm.PutParameter'], 1));
  await check('it carries our tag again', async () => {
    const { 'keyferry:sync': owner = '' } = await parameterTags(scene.account, `${path}B`);
    expectTrue(owner.endsWith(String((await scene.row())['id'])), `the tag is ${owner}`);
  });
  await scene.account.call('ssm', 'delete_parameter', { Name: `${path}C` });
  await step('the key of a deleted parameter removed', () => scene.unset('C'));
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
}

async function untagged(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await open(context);
  const values = () => parameterValues(scene.account, path);
  for (const key of ['A', 'B', 'C'])
    await scene.account.call('ssm', 'remove_tags_from_resource', {
      ResourceType: 'Parameter',
      ResourceId: `${path}${key}`,
      TagKeys: ['keyferry:sync'],
    });
  await step('a value changed after the tag was removed', () => scene.set({ A: 'new' }));
  await check('what lost our tag is not overwritten', async () => expectEqual((await values())['A'], 'one'));
  await check('the sync does not claim success', async () =>
    expectTrue((await scene.row())['sync_status'] !== 'succeeded', 'sync_status is succeeded'),
  );
  await step('a key removed after the tag was removed', () => scene.unset('B'));
  await check('what lost our tag is not deleted', async () => expectEqual((await values())['B'], 'two'));
  await step('removal after the tags were removed', () => scene.sync('remove'));
  await check('`sync remove` leaves what lost our tag', async () =>
    expectEqual(await values(), { A: 'one', B: 'two', C: 'three' }),
  );
}

async function retyped(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await open(context);
  await scene.account.call('ssm', 'put_parameter', {
    Name: `${path}A`,
    Value: 'plain',
    Type: 'String',
    Overwrite: true,
  });
  await check('the emulator changed the type', async () =>
    expectEqual((await parameterTypes(scene.account, path))['A'], 'String'),
  );
  let found: readonly string[] = [];
  await step('a check after the type changed', async () => {
    found = driftIn((await scene.sync('check')).json);
  });
  await check('the changed type is drift', () => expectEqual(found, [`${path}A`]));
  const isPlain = async (value: string): Promise<boolean> => {
    const [values, types] = [await parameterValues(scene.account, path), await parameterTypes(scene.account, path)];
    return values['A'] === value && types['A'] === 'String';
  };
  await step('the secret changed', () => scene.set({ A: 'secret' }));
  await check('no secret is written into a plain parameter by a change', async () =>
    expectTrue(!(await isPlain('secret')), 'the value lies in a String parameter'),
  );
  await step('asked to run', () => scene.sync('run'));
  await check('no secret is written into a plain parameter by a run', async () =>
    expectTrue(!(await isPlain('secret')), 'the value lies in a String parameter'),
  );
  await check('either the parameter is a SecureString again, or the sync says that it is not', async () => {
    const [types, row] = [await parameterTypes(scene.account, path), await scene.row()];
    const isRight = types['A'] === 'SecureString' || row['sync_status'] !== 'succeeded';
    expectTrue(isRight, `type ${String(types['A'])}, status ${String(row['sync_status'])}`);
  });
}

async function madeAgain(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await open(context);
  await step('one value changed, so that it has two versions', () => scene.set({ A: 'second' }));
  await scene.account.call('ssm', 'delete_parameter', { Name: `${path}A` });
  await scene.account.call('ssm', 'put_parameter', { Name: `${path}A`, Value: 'theirs', Type: 'SecureString' });
  await check('the new parameter has another version', async () =>
    expectEqual((await parameterVersions(scene.account, path))['A'], 1),
  );
  await step('a value changed after somebody made the parameter again', () => scene.set({ A: 'third' }));
  await check('what somebody else made is not overwritten', async () =>
    expectEqual((await parameterValues(scene.account, path))['A'], 'theirs'),
  );
  await step('its key removed', () => scene.unset('A'));
  await check('what somebody else made is not deleted', async () =>
    expectEqual((await parameterValues(scene.account, path))['A'], 'theirs'),
  );
}

async function repaired(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const path = `/${id}/`;
  const scene = await open(context, '--drift repair');
  await editParameter(scene.account, `${path}A`, 'edited');
  const checked = await step('an asked-for check of a sync that repairs', () => scene.sync('check'));
  await check('an asked-for check only reports', async () => {
    expectEqual(checked.calls['ssm.PutParameter'], undefined);
    expectEqual((await parameterValues(scene.account, path))['A'], 'edited');
  });
  await step('the scheduled check', async () => {
    await installation.rows(
      'update keyferry.syncs set next_due_at = now(), next_reconcile_at = now() where name = $1',
      id,
    );
    await installation.until(async () => (await parameterValues(scene.account, path))['A'] === 'one');
  });
  await check('the scheduled check puts the value back', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'one', B: 'two', C: 'three' }),
  );
}
