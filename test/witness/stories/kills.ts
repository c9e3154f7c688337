/**
 * Workers that are killed in the middle of a run: what was asked for happens all the same, once.
 */
import { killAt, killedAtOnce } from '../kill.ts';
import {
  accessKeys,
  parameterValues,
  parameterVersions,
  secretDocument,
  secretValues,
  secretVersionCount,
} from '../readings.ts';
import { createRoleConnection, openScene, sceneOf } from '../scenes.ts';
import { expectEqual, expectTrue, type Story, type StoryContext } from '../story.ts';

export const KILL_STORIES: readonly Story[] = [
  { name: 'worker killed once', lane: 'short', queues: 'redis', tell: once },
  { name: 'worker killed while it writes parameters', lane: 'full', queues: 'redis', tell: parameters },
  {
    name: 'worker killed while it writes parameters, queues in PostgreSQL',
    lane: 'full',
    queues: 'postgres',
    tell: parameters,
  },
  { name: 'worker killed while it writes secrets', lane: 'full', queues: 'redis', tell: secrets },
  { name: 'worker killed while it writes a JSON secret', lane: 'full', queues: 'redis', tell: document },
  { name: 'worker killed while it adopts and deletes', lane: 'full', queues: 'redis', tell: adoptionAndDeletion },
  { name: 'worker killed while it rotates', lane: 'full', queues: 'redis', tell: rotation },
  { name: 'answers lost and refused by AWS', lane: 'full', queues: 'redis', tell: faults },
];

const moments = ['before', 'after'] as const;

/** The least: a kill costs the half minute of its lease. */
async function once(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await step('killed after a PutParameter', async () => {
    await scene.set({ A: 'one', B: 'two', C: 'three' });
    const create = `--to parameter-store --prefix ${path}`;
    await killAt(context, { operation: 'ssm.PutParameter', nth: 2, moment: 'after' }, () => scene.createSync(create));
  });
  await check('every parameter is there', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'one', B: 'two', C: 'three' }),
  );
  await check('a kill repeats a write once at most', async () => {
    const versions = Object.values(await parameterVersions(scene.account, path));
    expectTrue(Math.max(...versions) <= 2, versions.join());
  });
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
  await killedAtOnce(context, scene);
}

async function parameters(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  const wanted: Record<string, string> = { FIRST: 'there' };
  await step('first sync', async () => {
    await scene.set(wanted);
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  for (const moment of moments) {
    const keys = ['A', 'B', 'C', 'D'].map((key) => `${key}_${moment}`);
    for (const key of keys) wanted[key] = 'created';
    await step(`killed at a PutParameter that creates, ${moment} it`, () =>
      killAt(context, { operation: 'ssm.PutParameter', nth: 2, moment }, () =>
        scene.set(Object.fromEntries(keys.map((key) => [key, 'created']))),
      ),
    );
    await check(`every parameter is there after a kill ${moment} its creation`, async () =>
      expectEqual(await parameterValues(scene.account, path), wanted),
    );
    const [key = ''] = keys;
    wanted[key] = 'updated';
    await step(`killed at a PutParameter that updates, ${moment} it`, () =>
      killAt(context, { operation: 'ssm.PutParameter', nth: 1, moment }, () => scene.set({ [key]: 'updated' })),
    );
    await check(`the value is there after a kill ${moment} its update`, async () =>
      expectEqual(await parameterValues(scene.account, path), wanted),
    );
    await check(`a kill ${moment} the call repeats a write once at most`, async () => {
      const versions = Object.values(await parameterVersions(scene.account, path));
      expectTrue(Math.max(...versions) <= 3, versions.join());
    });
  }
  await check('the sync is succeeded', async () => expectEqual((await scene.row())['sync_status'], 'succeeded'));
}

async function secrets(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const scene = await openScene(context, { secretPrefix: `${id}/` });
  const wanted: Record<string, string> = { FIRST: 'there' };
  await step('first sync', async () => {
    await scene.set(wanted);
    await scene.createSync(`--to secrets-manager --mapping one-to-one --prefix ${id}/`);
  });
  for (const moment of moments) {
    const key = `S_${moment}`;
    wanted[key] = 'created';
    await step(`killed at CreateSecret, ${moment} it`, () =>
      killAt(context, { operation: 'secretsmanager.CreateSecret', nth: 1, moment, naming: key }, () =>
        scene.set({ [key]: 'created' }),
      ),
    );
    await check(`the secret is there after a kill ${moment} its creation`, async () =>
      expectEqual(await secretValues(scene.account, `${id}/`), wanted),
    );
    wanted[key] = 'updated';
    await step(`killed at UpdateSecret, ${moment} it`, () =>
      killAt(context, { operation: 'secretsmanager.UpdateSecret', nth: 1, moment, naming: key }, () =>
        scene.set({ [key]: 'updated' }),
      ),
    );
    await check(`the value is there after a kill ${moment} its update`, async () =>
      expectEqual(await secretValues(scene.account, `${id}/`), wanted),
    );
    await check(`a kill ${moment} the call makes no version twice`, async () =>
      expectEqual(await secretVersionCount(scene.account, `${id}/${key}`), 2),
    );
  }
}

async function document(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const name = `${id}/all`;
  const scene = await openScene(context, { secretName: name });
  await step('killed after CreateSecret', async () => {
    await scene.set({ A: 'one', B: 'two' });
    const create = `--to secrets-manager --mapping many-to-one --secret-name ${name}`;
    await killAt(context, { operation: 'secretsmanager.CreateSecret', nth: 1, moment: 'after', naming: name }, () =>
      scene.createSync(create),
    );
  });
  await check('the document is there', async () =>
    expectEqual(await secretDocument(scene.account, name), { A: 'one', B: 'two' }),
  );
  await check('it has one version', async () => expectEqual(await secretVersionCount(scene.account, name), 1));
  await step('killed when the new value was sent', () =>
    killAt(context, { operation: 'secretsmanager.PutSecretValue', nth: 1, moment: 'after', naming: name }, () =>
      scene.set({ B: 'changed' }),
    ),
  );
  await check('the document has the new value', async () =>
    expectEqual(await secretDocument(scene.account, name), { A: 'one', B: 'changed' }),
  );
}

async function adoptionAndDeletion(context: StoryContext): Promise<void> {
  const { check, id, step } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await scene.account.call('ssm', 'put_parameter', { Name: `${path}A`, Value: 'theirs', Type: 'SecureString' });
  await step('killed when an adopted parameter was tagged', async () => {
    await scene.set({ A: 'ours' });
    const create = `--to parameter-store --prefix ${path} --on-existing adopt`;
    const tagged = { operation: 'ssm.AddTagsToResource', nth: 1, moment: 'after', naming: `${path}A` } as const;
    await killAt(context, tagged, () => scene.createSync(create));
  });
  await check('the adopted parameter has our value', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'ours' }),
  );
  await step('more secrets', () => scene.set({ B: 'two', C: 'three' }));
  for (const moment of moments) {
    const key = moment === 'before' ? 'B' : 'C';
    await step(`killed at DeleteParameters, ${moment} it`, () =>
      killAt(context, { operation: 'ssm.DeleteParameters', nth: 1, moment, naming: `${path}${key}` }, () =>
        scene.unset(key),
      ),
    );
    await check(`the parameter is gone after a kill ${moment} its deletion`, async () =>
      expectTrue(!(key in (await parameterValues(scene.account, path))), 'it is still there'),
    );
  }
  await check('what stays in the folder stays at AWS', async () =>
    expectEqual(await parameterValues(scene.account, path), { A: 'ours' }),
  );
}

async function rotation(context: StoryContext): Promise<void> {
  const { check, id, installation, step, world } = context;
  const account = await world.account();
  const userName = `robot-${id}`;
  await account.call('iam', 'create_user', { UserName: userName });
  await createRoleConnection(context, account, { parameterPath: `/${id}/`, userName });
  const scene = sceneOf(context, account);
  const published = async () => (await parameterValues(account, `/${id}/`))['KEY_ID'];
  const state = async () => (await installation.rows('select * from keyferry.rotations where name = $1', id))[0] ?? {};
  await step('a first rotation', async () => {
    await installation.must(
      `rotation create --name ${id} --connection ${id} --user ${userName} --project shop --env prod --path /${id} --access-key-id-as KEY_ID --secret-access-key-as SECRET_KEY --every 30d --grace 0s --quiet 0s --hold 0s`,
    );
    await scene.createSync(`--to parameter-store --prefix /${id}/`);
  });
  const killRotation = async (operation: string, moment: 'before' | 'after'): Promise<void> => {
    const naming = operation === 'iam.CreateAccessKey' ? userName : ((await published()) ?? '');
    await killAt(context, { operation, nth: 1, moment, naming }, () =>
      installation.must(`rotation run ${id} --no-wait`),
    );
  };
  const endsIdle = async (): Promise<void> => {
    await installation.until(async () => (await state())['phase'] === 'idle', 240_000);
    await installation.rest({ limitMs: 240_000 });
  };
  const isSound = async (): Promise<void> => {
    const keys = await accessKeys(account, userName);
    const active = keys.filter(({ Status }) => Status === 'Active').map(({ AccessKeyId }) => AccessKeyId);
    expectEqual(active, [await published()]);
  };
  for (const [operation, moment] of [
    ['iam.UpdateAccessKey', 'after'],
    ['iam.DeleteAccessKey', 'before'],
  ] as const) {
    await step(`killed at ${operation}, ${moment} it`, async () => {
      await killRotation(operation, moment);
      await endsIdle();
    });
    await check(`consumers hold the one active key after a kill at ${operation}`, isSound);
  }
  const held = await published();
  let lost = '';
  await step(
    'killed at iam.CreateAccessKey, after it',
    async () => {
      await killRotation('iam.CreateAccessKey', 'after');
      await installation.until(async () => {
        lost = /made the key (AKIA\w+)/.exec(String((await state())['status_message']))?.[1] ?? '';
        return lost !== '';
      });
    },
    { leavesWaiting: id },
  );
  await check('the key that nobody has the secret of is named, and no key is touched', async () => {
    const keys = (await accessKeys(account, userName)).map(({ AccessKeyId, Status }) => `${AccessKeyId} ${Status}`);
    expectEqual(keys.sort(), [`${String(held)} Active`, `${lost} Active`].sort());
    expectEqual(await published(), held);
  });
  await account.call('iam', 'delete_access_key', { UserName: userName, AccessKeyId: lost });
  await step('the lost key deleted by a person, and an hour later', async () => {
    await installation.rows(
      `update keyferry.rotations set next_due_at = now(),
         phase_state = jsonb_set(phase_state, '{intent,candidate,lookAt}',
           to_jsonb(to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
       where name = $1`,
      id,
    );
    await endsIdle();
  });
  await check('the rotation goes on, and consumers hold the one active key', async () => {
    await isSound();
    expectTrue((await published()) !== held, 'the key was not replaced');
  });
}

async function faults(context: StoryContext): Promise<void> {
  const { check, id, step, world } = context;
  const path = `/${id}/`;
  const scene = await openScene(context, { parameterPath: path });
  await step('first sync', async () => {
    await scene.set({ A: 'one' });
    await scene.createSync(`--to parameter-store --prefix ${path}`);
  });
  const outcomes = [
    ['its answer was lost', 'after', 'drop'],
    ['it never arrived', 'before', 'drop'],
    ['it was throttled', 'before', 'throttle'],
    ['AWS failed', 'before', 'fail'],
  ] as const;
  for (const [name, moment, outcome] of outcomes) {
    await step(`a PutParameter of which ${name}`, async () => {
      const happened = world.proxy.interrupt({
        operation: 'ssm.PutParameter',
        nth: 1,
        moment,
        act: async () => outcome,
      });
      await scene.set({ A: name });
      await happened;
      await context.installation.until(async () => (await scene.row())['sync_status'] === 'succeeded');
    });
    await check(`the value is there although ${name}`, async () =>
      expectEqual(await parameterValues(scene.account, path), { A: name }),
    );
  }
}
