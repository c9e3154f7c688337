/** Connections of both kinds: what makes one valid, and what keyferry does when it is not. */
import { createKey, createRole, createUserWithKey, putRolePolicy, statement } from '../account.ts';
import { DEFAULT_ACCOUNT } from '../aws/proxy.ts';
import type { Row } from '../installation.ts';
import { parameterValues } from '../readings.ts';
import { createRoleConnection, openScene, policyCommands, sceneOf } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const CONNECTION_STORIES: readonly Story[] = [
  { name: 'connection by role: valid, with the external ID', lane: 'short', queues: 'redis', tell: byRole },
  { name: 'connection by role: refused, then repaired', lane: 'full', queues: 'redis', tell: refusedRole },
  { name: 'connection by role: no external ID enforced', lane: 'full', queues: 'redis', tell: unenforced },
  { name: 'connection by access key', lane: 'full', queues: 'redis', tell: byKey },
  { name: 'connection without a permission', lane: 'full', queues: 'redis', tell: withoutPermission },
  { name: 'connection by role, queues in PostgreSQL', lane: 'full', queues: 'postgres', tell: byRole },
];

async function connectionRow({ installation, id }: StoryContext): Promise<Row> {
  const [row] = await installation.rows('select * from keyferry.connections where name = $1', id);
  return row ?? {};
}

async function byRole(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const created = await step('connected', () => createRoleConnection(context, account, { parameterPath: `/${id}/` }));
  await check('the connection is valid', async () => expectEqual((await connectionRow(context))['status'], 'valid'));
  await check('it knows its account', async () =>
    expectEqual((await connectionRow(context))['account_id'], account.accountId),
  );
  await check('AWS was asked without and with a wrong external ID, and refused both', () =>
    expectEqual(
      created.recorded.filter(({ operation, error }) => operation === 'sts.AssumeRole' && error === 'AccessDenied')
        .length,
      2,
    ),
  );
  await check('roles are assumed with the base identity only', () => {
    const accounts = created.recorded
      .filter(({ operation }) => operation === 'sts.AssumeRole')
      .map((call) => call.accountId);
    expectEqual([...new Set(accounts)], [DEFAULT_ACCOUNT]);
  });
  const again = await step('validated when asked', () => installation.must(`connection validate ${id}`));
  await check('a validation assumes the role anew', () =>
    expectTrue((again.calls['sts.AssumeRole'] ?? 0) >= 1, JSON.stringify(again.calls)),
  );
  const job = await step('validated by a job of an outside producer', async () =>
    installation.addJob('validate', 'validate', { connectionId: (await connectionRow(context))['id'] }),
  );
  await check('an outside job validates', () =>
    expectTrue((job.calls['sts.AssumeRole'] ?? 0) >= 1, JSON.stringify(job.calls)),
  );
  await step('deleted', () => installation.must(`connection delete ${id}`));
  await check('the connection is gone', async () => expectEqual(await connectionRow(context), {}));
}

async function refusedRole(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const arn = await createRole(account, { name: `keyferry-${id}`, externalId: 'somebody-else', policies: [] });
  const create = `connection create --name ${id} --method assume-role --role-arn ${arn} --region eu-west-1`;
  let code: number | null = 0;
  await step('connected to a role that expects another external ID', async () => {
    code = (await installation.run(`${create} --no-wait`)).code;
    await installation.until(async () => (await connectionRow(context))['last_validated_at'] !== null);
  });
  await check('the command records it', () => expectEqual(code, 0));
  await check('the connection is not valid', async () =>
    expectTrue((await connectionRow(context))['status'] !== 'valid', 'valid'),
  );
  await check('its status says what AWS refused', async () =>
    expectTrue(
      String((await connectionRow(context))['status_code']).startsWith('CONNECTION_'),
      JSON.stringify(await connectionRow(context)),
    ),
  );
  await step('the trust policy corrected', async () => {
    const trust = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: `arn:aws:iam::${DEFAULT_ACCOUNT}:root` },
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'sts:ExternalId': 'acme' } },
        },
      ],
    };
    const PolicyDocument = JSON.stringify(trust);
    await account.call('iam', 'update_assume_role_policy', { RoleName: `keyferry-${id}`, PolicyDocument });
    await installation.run(`connection validate ${id}`);
  });
  await check('the connection is valid once the trust policy is right', async () =>
    expectEqual((await connectionRow(context))['status'], 'valid'),
  );
  const other = await world.account();
  const foreign = await createRole(other, { name: `other-${id}`, externalId: 'acme', policies: [] });
  const update = await installation.run(`connection update ${id} --role-arn ${foreign}`);
  await step('a role of another account given', async () => undefined);
  await check('a connection does not wander to another account', async () => {
    expectTrue(update.code !== 0, update.text);
    expectEqual((await connectionRow(context))['role_arn'], arn);
  });
}

async function unenforced(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const arn = await createRole(account, { name: `keyferry-${id}`, externalId: undefined, policies: [] });
  await step('connected to a role that enforces no external ID', () =>
    installation.run(`connection create --name ${id} --method assume-role --role-arn ${arn} --region eu-west-1`),
  );
  await check('the check of the external ID does not pass', async () => {
    const checks = (await connectionRow(context))['checks'] as readonly {
      readonly name: string;
      readonly verdict: string;
    }[];
    const found = checks.find(({ name }) => name === 'external-id');
    expectTrue(found !== undefined && found.verdict !== 'pass', JSON.stringify(found));
  });
}

async function byKey(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const [policy] = await Promise.all(policyCommands({ parameterPath: `/${id}/` }).map((one) => installation.must(one)));
  const key = await createUserWithKey(account, { userName: `app-${id}`, policy: policy?.json ?? {} });
  const command = (verb: string, accessKeyId: string) =>
    `connection ${verb} --method access-key --access-key-id ${accessKeyId} --region eu-west-1`;
  const wrong = key.secretAccessKey.replace(/.$/, key.secretAccessKey.endsWith('a') ? 'b' : 'a');
  await step('connected with a wrong secret', () =>
    installation.run(`${command('create', key.accessKeyId)} --name ${id}`, wrong),
  );
  await check('a wrong secret is invalid', async () =>
    expectEqual((await connectionRow(context))['status'], 'invalid'),
  );
  await step('the right secret given', () =>
    installation.run(`connection update ${id} --access-key-id ${key.accessKeyId}`, key.secretAccessKey),
  );
  await check('the right secret is valid', async () => {
    const row = await connectionRow(context);
    expectEqual([row['status'], row['account_id']], ['valid', account.accountId]);
  });
  const scene = sceneOf(context, account);
  await step('a sync with the access key', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
  });
  await check('the sync works', async () => expectEqual(await parameterValues(account, `/${id}/`), { A: 'one' }));
  await account.call('iam', 'update_access_key', {
    UserName: `app-${id}`,
    AccessKeyId: key.accessKeyId,
    Status: 'Inactive',
  });
  await step('a change while the key is inactive', () => scene.set({ A: 'two' }));
  await check('nothing is written with an inactive key', async () =>
    expectEqual(await parameterValues(account, `/${id}/`), { A: 'one' }),
  );
  await check('the connection says that its key is refused, or is validated within the hour', async () => {
    const { status, next_due_at: dueAt } = await connectionRow(context);
    const isDueSoon = dueAt instanceof Date && dueAt.getTime() - Date.now() <= 3_600_000;
    expectTrue(status !== 'valid' || isDueSoon, `${String(status)}, due ${String(dueAt)}`);
  });
  const second = await createKey(account, `app-${id}`);
  const update = `connection update ${id} --access-key-id ${second.accessKeyId}`;
  await step('another key of the user given', () => installation.run(update, second.secretAccessKey));
  await check('what waited is done by itself', async () =>
    expectEqual(await parameterValues(account, `/${id}/`), { A: 'two' }),
  );
  const temporary = await installation.run(
    `${command('create', 'ASIAAAAAAAAAAAAAAAAA')} --name ${id}-t`,
    'x'.repeat(40),
  );
  await check('temporary keys are refused', () => expectTrue(temporary.code !== 0, temporary.text));
}

async function withoutPermission(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openScene(context, { parameterPath: `/${id}/` });
  const { account } = scene;
  const resource = `arn:aws:ssm:eu-west-1:${account.accountId}:parameter/${id}/*`;
  const readOnly = statement(
    ['ssm:GetParameters', 'ssm:GetParametersByPath', 'ssm:ListTagsForResource', 'ssm:PutParameter'],
    resource,
  );
  await putRolePolicy(account, { role: `keyferry-${id}`, name: 'p0', policy: readOnly });
  const first = await step('first sync without two permissions', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
  });
  await check('the sync is blocked before its first write', async () => {
    expectEqual((await scene.row())['sync_status'], 'blocked');
    expectEqual(first.calls['ssm.PutParameter'], undefined);
  });
  await check('its status names a missing action', async () =>
    expectTrue(
      /ssm:(AddTagsToResource|DeleteParameters)/.test(String((await scene.row())['status_message'])),
      String((await scene.row())['status_message']),
    ),
  );
  const { json } = await context.installation.must(`policy parameter-store --path /${id}/`);
  await putRolePolicy(account, { role: `keyferry-${id}`, name: 'p0', policy: json });
  await step('the permissions granted', () => scene.sync('run'));
  await check('the sync works once it is allowed', async () =>
    expectEqual(await parameterValues(account, `/${id}/`), { A: 'one' }),
  );
}
