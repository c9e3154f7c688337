/**
 * Rotations of access keys: what consumers hold works at every moment, and nobody else's key is
 * touched.
 */
import { createKey, createUserWithKey, putUserPolicy, statement, type Account } from '../account.ts';
import type { Credentials } from '../boto.ts';
import type { Row } from '../installation.ts';
import { accessKeys, parameterValues, secretDocument } from '../readings.ts';
import { createRoleConnection, policyCommands, sceneOf, type Scene } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const ROTATION_STORIES: readonly Story[] = [
  { name: 'rotation: adopted key, publication, retirement', lane: 'short', queues: 'redis', tell: adopted },
  { name: 'rotation, queues in PostgreSQL', lane: 'full', queues: 'postgres', tell: adopted },
  { name: 'rotation: no key yet, and keys that take a while to work', lane: 'full', queues: 'redis', tell: delayed },
  { name: 'rotation: keys of a person', lane: 'full', queues: 'redis', tell: foreignKeys },
  { name: 'rotation: grace, hold, reactivation', lane: 'full', queues: 'redis', tell: reactivated },
  { name: 'rotation: emergency', lane: 'full', queues: 'redis', tell: emergency },
  { name: 'rotation: a connection rotates its own key', lane: 'full', queues: 'redis', tell: ownKey },
  { name: 'rotation: a sync that cannot publish', lane: 'full', queues: 'redis', tell: unpublished },
];

const KEYS = '--access-key-id-as KEY_ID --secret-access-key-as SECRET_KEY';

interface RotationScene extends Scene {
  readonly userName: string;
  create(flags: string, input?: string): Promise<number | null>;
  rotation(command: string): Promise<number | null>;
  state(): Promise<Row>;
  reaches(phase: string): Promise<void>;
}

async function openRotation(context: StoryContext, account: Account): Promise<RotationScene> {
  const { id, installation } = context;
  const userName = `robot-${id}`;
  const place = `--project shop --env prod --path /${id}`;
  const state = async (): Promise<Row> => {
    const [row] = await installation.rows('select * from keyferry.rotations where name = $1', id);
    return row ?? {};
  };
  return {
    ...sceneOf(context, account),
    userName,
    state,
    async create(flags, input) {
      const command = `rotation create --name ${id} --connection ${id} --user ${userName} ${place} ${KEYS} --every 30d ${flags}`;
      return (await installation.run(command, input)).code;
    },
    rotation: async (command) => (await installation.run(command)).code,
    reaches: (phase) => installation.until(async () => (await state())['phase'] === phase),
  };
}

async function openByRole(context: StoryContext): Promise<RotationScene> {
  const account = await context.world.account();
  const userName = `robot-${context.id}`;
  await account.call('iam', 'create_user', { UserName: userName });
  await createRoleConnection(context, account, {
    parameterPath: `/${context.id}/`,
    secretName: `${context.id}/all`,
    userName,
  });
  return openRotation(context, account);
}

/** Who a pair belongs to, asked with the pair itself. */
async function ownerOf({ world }: StoryContext, credentials: Credentials): Promise<string> {
  const { Arn } = await world.boto.call({
    service: 'sts',
    region: 'us-east-1',
    method: 'get_caller_identity',
    credentials,
    parameters: {},
  });
  return String(Arn);
}

const pairIn = (values: Readonly<Record<string, string>>): Credentials => ({
  accessKeyId: values['KEY_ID'] ?? '',
  secretAccessKey: values['SECRET_KEY'] ?? '',
});

async function adopted(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const scene = await openByRole(context);
  const { account, userName } = scene;
  const old = await createKey(account, userName);
  const published = () => parameterValues(account, `/${id}/`);
  await step('a rotation that adopts the key in use', async () => {
    const code = await scene.create(
      `--grace 0s --quiet 0s --hold 0s --adopt-key ${old.accessKeyId}`,
      old.secretAccessKey,
    );
    expectEqual(code, 0);
  });
  await step('two syncs of its folder', async () => {
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
    await scene.createSync(`--to secrets-manager --mapping many-to-one --secret-name ${id}/all`, `${id}-json`);
  });
  await check('the rotation has made no key', async () => expectEqual((await accessKeys(account, userName)).length, 1));
  const run = await step('rotated when asked', async () => {
    expectEqual(await scene.rotation(`rotation run ${id}`), 0);
    await scene.reaches('idle');
  });
  const [key] = await accessKeys(account, userName);
  await check('one new key is left, and it is active', async () => {
    expectEqual(
      (await accessKeys(account, userName)).map(({ Status }) => Status),
      ['Active'],
    );
    expectTrue(key?.AccessKeyId !== old.accessKeyId, 'the old key is still there');
  });
  await check('parameters hold the new pair, which works', async () => {
    expectEqual((await published())['KEY_ID'], key?.AccessKeyId);
    expectTrue((await ownerOf(context, pairIn(await published()))).endsWith(`user/${userName}`), 'another user');
  });
  await check('the JSON secret holds the same pair', async () =>
    expectEqual(await secretDocument(account, `${id}/all`), await published()),
  );
  await check('a person may not write what a rotation manages', async () => {
    const command = `secrets set --project shop --env prod --path /${id}`;
    expectTrue((await installation.run(command, JSON.stringify({ KEY_ID: 'x' }))).code !== 0, 'accepted');
  });
  await check('exactly one key was made, deactivated and deleted', () => {
    // Probes of permissions name keys that do not exist, and fail.
    const done = run.recorded.filter(({ error }) => error === undefined).map(({ operation }) => operation);
    const changes = done.filter((operation) => /^iam\.(Create|Update|Delete)AccessKey$/.test(operation));
    expectEqual(changes, ['iam.CreateAccessKey', 'iam.UpdateAccessKey', 'iam.DeleteAccessKey']);
  });
  await check('the old key goes only after the new one was published', () => {
    const order = run.recorded.filter(({ error }) => error === undefined).map(({ operation }) => operation);
    const published = Math.max(order.lastIndexOf('ssm.PutParameter'), order.lastIndexOf('secretsmanager.UpdateSecret'));
    expectTrue(published < order.indexOf('iam.UpdateAccessKey'), order.join(' '));
  });
  await check('IAM is called in its own region', () => {
    const regions = run.recorded.filter(({ operation }) => operation.startsWith('iam.')).map(({ region }) => region);
    expectEqual([...new Set(regions)], ['us-east-1']);
  });
  await step('the rotation deleted with its keys', () => scene.rotation(`rotation delete ${id} --revoke-keys`));
  await check('`--revoke-keys` deletes every key of ours', async () =>
    expectEqual(await accessKeys(account, userName), []),
  );
}

async function delayed(context: StoryContext): Promise<void> {
  const { check, id, step, world } = context;
  const scene = await openByRole(context);
  world.proxy.keyDelayMs = 6_000;
  await step('a rotation of a user without a key', async () => {
    expectEqual(await scene.create('--grace 0s --quiet 0s --hold 0s'), 0);
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
    await scene.reaches('idle');
  });
  world.proxy.keyDelayMs = 0;
  const keys = await accessKeys(scene.account, scene.userName);
  await check('one key was made', () => expectEqual(keys.length, 1));
  await check('it is published once it works', async () => {
    const values = await parameterValues(scene.account, `/${id}/`);
    expectEqual(values['KEY_ID'], keys[0]?.AccessKeyId);
    expectTrue((await ownerOf(context, pairIn(values))).endsWith(`user/${scene.userName}`), 'another user');
  });
  await scene.account.call('iam', 'delete_access_key', { UserName: scene.userName, AccessKeyId: keys[0]?.AccessKeyId });
  await step('rotated after somebody deleted the key', () => scene.rotation(`rotation run ${id}`));
  await check('a new key replaces the deleted one', async () => {
    const now = await accessKeys(scene.account, scene.userName);
    const values = await parameterValues(scene.account, `/${id}/`);
    expectEqual(
      now.map(({ AccessKeyId }) => AccessKeyId),
      [values['KEY_ID']],
    );
  });
}

async function foreignKeys(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openByRole(context);
  const { account, userName } = scene;
  const theirs = await createKey(account, userName);
  let code: number | null = 0;
  await step('a rotation of a user with a key of a person', async () => {
    code = await scene.create('--grace 0s --quiet 0s --hold 0s');
  });
  await check('it is blocked, and the command says so', async () => {
    const state = await scene.state();
    expectEqual([code, state['rotation_status'], state['status_code']], [1, 'blocked', 'KEY_FOREIGN']);
  });
  await check('no key was made, and theirs is as it was', async () =>
    expectEqual(await accessKeys(account, userName), [{ AccessKeyId: theirs.accessKeyId, Status: 'Active' }]),
  );
  await account.call('iam', 'delete_access_key', { UserName: userName, AccessKeyId: theirs.accessKeyId });
  await step('asked again once the key is gone', () => scene.rotation(`rotation run ${id}`));
  await check('it works once the key is gone', async () =>
    expectEqual((await accessKeys(account, userName)).length, 1),
  );
  const second = await createKey(account, userName);
  await step('rotated beside a second key of a person', () => scene.rotation(`rotation run ${id}`));
  await check('it is blocked while the user has no room for a key', async () =>
    expectEqual((await scene.state())['rotation_status'], 'blocked'),
  );
  await check('neither key was touched', async () => {
    const keys = await accessKeys(account, userName);
    expectEqual(
      keys.map(({ Status }) => Status),
      ['Active', 'Active'],
    );
    expectTrue(
      keys.some(({ AccessKeyId }) => AccessKeyId === second.accessKeyId),
      'theirs is gone',
    );
  });
}

async function reactivated(context: StoryContext): Promise<void> {
  const { check, id, installation, step } = context;
  const scene = await openByRole(context);
  const { account, userName } = scene;
  const old = await createKey(account, userName);
  const statusOf = async (accessKeyId: string): Promise<string | undefined> =>
    (await accessKeys(account, userName)).find((key) => key.AccessKeyId === accessKeyId)?.Status;
  await step('a rotation with a hold', async () => {
    await scene.create(`--grace 0s --quiet 0s --hold 7d --adopt-key ${old.accessKeyId}`, old.secretAccessKey);
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
  });
  await step('rotated', async () => {
    await scene.rotation(`rotation run ${id}`);
    await scene.reaches('hold');
  });
  await check('the old key is inactive during the hold', async () =>
    expectEqual(await statusOf(old.accessKeyId), 'Inactive'),
  );
  await step('reactivated', () => scene.rotation(`rotation reactivate ${id}`));
  await check('the old key is active again', async () => expectEqual(await statusOf(old.accessKeyId), 'Active'));
  await check('the rotation is quiet again', async () => expectEqual((await scene.state())['phase'], 'quiet'));
  const paused = await step('paused', () => installation.must(`rotation pause ${id}`));
  await check('a pause makes no call', () => expectEqual(paused.calls, {}));
  await check('both keys are as they were', async () => expectEqual((await accessKeys(account, userName)).length, 2));
}

async function emergency(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openByRole(context);
  const { account, userName } = scene;
  const leaked = await createKey(account, userName);
  await step('a rotation with long times', async () => {
    await scene.create(`--grace 24h --quiet 24h --hold 7d --adopt-key ${leaked.accessKeyId}`, leaked.secretAccessKey);
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
  });
  await step('rotated in an emergency', async () => {
    expectEqual(await scene.rotation(`rotation run ${id} --emergency`), 0);
    await scene.reaches('idle');
  });
  await check('the leaked key is gone at once', async () => {
    const keys = await accessKeys(account, userName);
    expectEqual(
      keys.map(({ Status }) => Status),
      ['Active'],
    );
    expectTrue(keys[0]?.AccessKeyId !== leaked.accessKeyId, 'the leaked key is still there');
  });
  await check('consumers hold the new key', async () => {
    const [key] = await accessKeys(account, userName);
    expectEqual((await parameterValues(account, `/${id}/`))['KEY_ID'], key?.AccessKeyId);
  });
}

async function ownKey(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const userName = `robot-${id}`;
  const key = await createUserWithKey(account, { userName });
  const uses = policyCommands({ parameterPath: `/${id}/`, userName });
  const policies = await Promise.all(uses.map((command) => installation.must(command)));
  const statements = policies.flatMap(({ json }) => json['Statement'] as readonly unknown[]);
  await putUserPolicy(account, userName, { Version: '2012-10-17', Statement: statements });
  await step('connected with the key that will be rotated', () =>
    installation.must(
      `connection create --name ${id} --method access-key --access-key-id ${key.accessKeyId} --region eu-west-1`,
      key.secretAccessKey,
    ),
  );
  const scene = await openRotation(context, account);
  await step('a rotation of the connection’s own user', async () => {
    expectEqual(await scene.create('--grace 0s --quiet 0s --hold 0s'), 0);
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
    await scene.reaches('idle');
  });
  await step('rotated when asked', async () => {
    await scene.rotation(`rotation run ${id}`);
    await scene.reaches('idle');
  });
  const [now] = await accessKeys(account, userName);
  await check('the connection holds the new key', async () => {
    const [row] = await installation.rows('select access_key_id, status from keyferry.connections where name = $1', id);
    expectEqual([row?.['access_key_id'], row?.['status']], [now?.AccessKeyId, 'valid']);
  });
  await check('the key of the beginning is gone', async () =>
    expectTrue(
      !(await accessKeys(account, userName)).some(({ AccessKeyId }) => AccessKeyId === key.accessKeyId),
      'it is still there',
    ),
  );
  await step('the connection used with its new key', () => scene.set({ OTHER: 'value' }));
  await check('the new key works for the syncs of the connection', async () =>
    expectEqual((await parameterValues(account, `/${id}/`))['OTHER'], 'value'),
  );
}

async function unpublished(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openByRole(context);
  const { account, userName } = scene;
  await step('a rotation whose syncs all work', async () => {
    await scene.create(`--grace 0s --quiet 0s --hold 0s`);
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
    await scene.reaches('idle');
  });
  const [old] = await accessKeys(account, userName);
  const denied = statement('iam:*', '*');
  await account.call('iam', 'put_role_policy', {
    RoleName: `keyferry-${id}`,
    PolicyName: 'p0',
    PolicyDocument: JSON.stringify(denied),
  });
  await step('rotated while the sync may not write', () => scene.rotation(`rotation run ${id} --no-wait`), {
    leavesWaiting: id,
  });
  await check('the old key stays active while it is what consumers hold', async () => {
    const found = (await accessKeys(account, userName)).find(({ AccessKeyId }) => AccessKeyId === old?.AccessKeyId);
    expectEqual([found?.Status, (await parameterValues(account, `/${id}/`))['KEY_ID']], ['Active', old?.AccessKeyId]);
  });
  await check('the rotation waits in its publication', async () =>
    expectEqual((await scene.state())['phase'], 'publishing'),
  );
  await check('and names the sync that it waits for', async () => {
    const { status_message: message } = await scene.state();
    expectTrue(String(message).includes(id), `the message is ${String(message)}`);
  });
  await account.call('iam', 'put_role_policy', {
    RoleName: `keyferry-${id}`,
    PolicyName: 'p0',
    PolicyDocument: JSON.stringify(statement('ssm:*', '*')),
  });
  await step('the permission granted', async () => {
    await scene.sync('run');
    await scene.reaches('idle');
  });
  await check('the new key is published, the old one gone', async () => {
    const keys = await accessKeys(account, userName);
    expectEqual([keys.length, (await parameterValues(account, `/${id}/`))['KEY_ID']], [1, keys[0]?.AccessKeyId]);
  });
}
