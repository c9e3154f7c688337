import type { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager';
import { expect, test } from 'vitest';

import type { AwsSession } from '../../../src/aws/session.ts';
import type { SyncDependencies } from '../../../src/workers/sync/processor.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, MINUTE, REGION, type SyncInput, total } from './world.ts';

const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toDocument: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/app' },
};

async function folderOf(world: Awaited<ReturnType<typeof createWorld>>): Promise<Record<string, string>> {
  const { secrets } = await world.folders.read(world.folder.id);
  return Object.fromEntries(secrets.map((secret) => [secret.key, 'value' in secret ? secret.value : '?']));
}

test('a plan tells every action with its reason, writes nothing and shows no value', async () => {
  const world = await createWorld(stage);
  await world.set({ KEPT: 'canary-1', CHANGED: 'canary-2', DRIFTED: 'canary-3', LEFT: 'canary-4' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(2 * MINUTE);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/THEIRS', value: 'canary-5' });
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/DRIFTED', value: 'canary-6' });
  await world.set({
    CHANGED: 'canary-7',
    DRIFTED: 'canary-8',
    LEFT: null,
    NEW: 'canary-9',
    THEIRS: 'canary-10',
    EMPTY: '',
  });
  const before = [world.parameters(), await world.entries(id)];

  const { outcome, runId } = await world.runUntilDone(id, { request: 'plan' });

  const name = (key: string) => `/app/prod/${key}`;
  expect(outcome).toMatchObject({
    status: 'succeeded',
    result: {
      changes: [
        { action: 'update', key: 'CHANGED', remoteName: name('CHANGED'), reason: 'value changed' },
        {
          action: 'conflict',
          key: 'DRIFTED',
          remoteName: name('DRIFTED'),
          reason: 'was changed at AWS outside keyferry; not overwritten',
        },
        { action: 'invalid', key: 'EMPTY', remoteName: name('EMPTY') },
        { action: 'create', key: 'NEW', remoteName: name('NEW'), reason: 'new in the source' },
        {
          action: 'conflict',
          key: 'THEIRS',
          remoteName: name('THEIRS'),
          reason: 'exists and is not managed by this sync',
        },
        { action: 'delete', key: 'LEFT', remoteName: name('LEFT'), reason: 'no longer in the source' },
      ],
      unchanged: 1,
    },
  });
  expect([world.parameters(), await world.entries(id)]).toEqual(before);
  // What was wanted is still to be done.
  const row = await world.row(id);
  expect([row.syncStatus, row.wantedRevision - row.doneRevision]).toEqual(['succeeded', 1]);
  expect(await world.isDue(id)).toBe(true);
  const shown = JSON.stringify([outcome, await world.run(runId)]);
  const hashes = (await world.entries(id)).map((entry) => entry.fingerprint!);
  expect(shown).not.toContain('canary');
  for (const hash of hashes) expect(shown).not.toContain(hash);
});

test('a plan of an emptied source says that it is blocked', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(toSecrets);
  await world.runUntilDone(id);
  await world.set({ A: null, B: null });

  const { outcome, calls } = await world.runUntilDone(id, { request: 'plan' });

  expect(outcome).toMatchObject({
    result: {
      changes: [{ action: 'delete' }, { action: 'delete' }],
      blockedBy: { code: 'SYNC_DELETIONS_UNCONFIRMED', deletions: 2 },
    },
  });
  expect(total(calls)).toBe(0);
});

test('a plan of a JSON secret looks inside for keys of others', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1' });
  const { id } = await world.createSync(toDocument);
  await world.runUntilDone(id);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"1","B":"theirs"}' });
  await world.set({ B: 'ours', C: 'ours' });

  const { outcome } = await world.runUntilDone(id, { request: 'plan' });

  expect(outcome).toMatchObject({
    result: {
      changes: [
        { action: 'conflict', key: 'B', reason: 'the key exists in the secret and is not managed by this sync' },
        { action: 'create', key: 'C' },
      ],
      unchanged: 1,
    },
  });
});

test.each([
  ['import-prioritize-source', { A: 'ours', B: 'theirs' }],
  ['import-prioritize-destination', { A: 'theirs', B: 'theirs' }],
] as const)(
  'a first sync with %s merges the folder and takes over what it may',
  async (initialSyncBehavior, merged) => {
    for (const input of [{}, toSecrets, toDocument]) {
      const world = await createWorld(stage);
      for (const key of ['A', 'B'])
        world.sandbox.foreign.putParameter({ ...world.at, name: `/app/prod/${key}`, value: 'theirs' });
      for (const key of ['A', 'B'])
        world.sandbox.foreign.putSecret({ ...world.at, name: `prod/${key}`, value: 'theirs' });
      world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"theirs","B":"theirs"}' });
      if (input === toSecrets) world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/app' });
      await world.set({ A: 'ours' });
      const { id } = await world.createSync({ ...input, syncOptions: { initialSyncBehavior, onExisting: 'adopt' } });

      const { outcome } = await world.runUntilDone(id);

      expect(outcome).toMatchObject({ status: 'succeeded' });
      expect(await folderOf(world)).toEqual(merged);
      const written =
        input === toDocument
          ? JSON.parse(world.secrets()['prod/app'] ?? '')
          : input === toSecrets
            ? world.secrets('prod/')
            : world.parameters();
      expect(Object.values(written as object)).toEqual(Object.values(merged));
    }
  },
);

test('without leave to take over, an import leaves equal objects alone until the source changes', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs' });
  await world.set({ B: 'ours' });
  const { id } = await world.createSync({ syncOptions: { initialSyncBehavior: 'import-prioritize-destination' } });

  const first = await world.runUntilDone(id);
  expect(first.outcome).toMatchObject({ status: 'succeeded', counts: { created: 1 } });
  expect(await folderOf(world)).toEqual({ A: 'theirs', B: 'ours' });
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/A' })?.tags).toEqual({});

  await world.set({ A: 'changed' });
  const second = await world.runUntilDone(id);
  expect(second.outcome).toMatchObject({ status: 'partial', code: 'SYNC_CONFLICT' });
  expect(world.parameters()['/app/prod/A']).toBe('theirs');
});

test('an import on request reads only names of the sync and says what it did', async () => {
  const world = await createWorld(stage);
  for (const name of ['/app/prod/svc_A', '/app/prod/svc_B', '/app/prod/other', '/app/prod/deeper/svc_C']) {
    world.sandbox.foreign.putParameter({ ...world.at, name, value: 'theirs' });
  }
  await world.set({ A: 'ours' });
  const { id } = await world.createSync({ syncOptions: { keySchema: 'svc_{{secretKey}}' }, isAutoSyncEnabled: false });

  const { outcome, calls } = await world.runUntilDone(id, {
    request: 'import',
    parameters: { importBehavior: 'prioritize-source' },
  });

  expect(outcome).toMatchObject({
    status: 'succeeded',
    result: { imported: ['B'], kept: ['A'], managed: [], unreadable: [] },
  });
  expect(calls).toEqual({ 'ssm.GetParametersByPath': 1, 'ssm.ListTagsForResource': 1 });
  expect(await folderOf(world)).toEqual({ A: 'ours', B: 'theirs' });
});

test('values that another sync or a rotation writes are neither imported nor taken over', async () => {
  for (const input of [toSecrets, toDocument]) {
    const isRotated = { value: false };
    const world = await createWorld(stage, { wrap: (deps) => withRotation(deps, isRotated) });
    world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: '{"A":"theirs"}' });
    const syncOptions = { initialSyncBehavior: 'import-prioritize-destination', onExisting: 'adopt' } as const;
    await world.set({ app: 'ours' });
    const { id } = await world.createSync({ ...input, syncOptions });
    isRotated.value = true;

    const { outcome } = await world.runUntilDone(id);
    expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
    expect('message' in outcome && outcome.message).toContain('managed by a rotation of Secrets Manager');
    expect(await folderOf(world)).toEqual({ app: 'ours' });

    isRotated.value = false;
    const tags = { 'keyferry:sync': `${crypto.randomUUID()}/${crypto.randomUUID()}` };
    world.sandbox.foreign.tagSecret({ ...world.at, name: 'prod/app', tags });
    const asked = await world.runUntilDone(id, {
      request: 'import',
      parameters: { importBehavior: 'prioritize-destination' },
    });
    expect(asked.outcome).toMatchObject({ result: { imported: [], others: ['prod/app'] } });
    expect(await folderOf(world)).toEqual({ app: 'ours' });
  }
});

/** AWS's answers about a secret whose rotation is on, which the sandbox does not offer. */
function withRotation(deps: SyncDependencies, isRotated: { readonly value: boolean }): SyncDependencies {
  const openRotated = (session: AwsSession) => {
    const mark = (one: object) => ({ ...one, RotationEnabled: isRotated.value });
    const send = async (command: DescribeSecretCommand): Promise<object> => {
      const answer: object = await session.secretsManager.send(command);
      return 'SecretList' in answer
        ? { ...answer, SecretList: (answer.SecretList as object[]).map(mark) }
        : mark(answer);
    };
    const client = { send } as unknown as AwsSession['secretsManager'];
    return deps.openSecretsManager({ ...session, secretsManager: client });
  };
  return { ...deps, openSecretsManager: openRotated };
}

test.each(['first run', 'request'])(
  'parameters that another installation marked are named and not imported, by a %s',
  async (how) => {
    const world = await createWorld(stage);
    const marks = [`${crypto.randomUUID()}/${crypto.randomUUID()}`, crypto.randomUUID()];
    for (const [index, mark] of marks.entries()) {
      const name = `/app/prod/MARKED${String(index)}`;
      world.sandbox.foreign.putParameter({ ...world.at, name, value: 'theirs' });
      world.sandbox.foreign.tagParameter({ ...world.at, name, tags: { 'keyferry:sync': mark } });
    }
    world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/FREE', value: 'of nobody' });
    await world.set({ OWN: 'ours' });
    const { id } = await world.createSync({
      syncOptions: {
        onExisting: 'adopt',
        ...(how === 'first run' && { initialSyncBehavior: 'import-prioritize-destination' }),
      },
      isAutoSyncEnabled: how !== 'request',
    });

    const { outcome } = await world.runUntilDone(
      id,
      how === 'request' ? { request: 'import', parameters: { importBehavior: 'prioritize-destination' } } : {},
    );

    const others = ['/app/prod/MARKED0', '/app/prod/MARKED1'];
    expect(outcome).toMatchObject({ status: 'succeeded', result: { imported: ['FREE'], others } });
    expect(await folderOf(world)).toEqual({ FREE: 'of nobody', OWN: 'ours' });
  },
);

test.each(['first run', 'request'])('keys that no secret may have are named and not imported, by a %s', async (how) => {
  const world = await createWorld(stage);
  const long = 'k'.repeat(300);
  const value = JSON.stringify({ FINE: '1', 'with blank': '2', [long]: '3', 'a\u0000b': '5' });
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value });
  const { id } = await world.createSync({
    ...toDocument,
    syncOptions: {
      onExisting: 'adopt',
      ...(how === 'first run' && { initialSyncBehavior: 'import-prioritize-destination' }),
    },
    isAutoSyncEnabled: how !== 'request',
  });

  const { outcome } = await world.runUntilDone(
    id,
    how === 'request' ? { request: 'import', parameters: { importBehavior: 'prioritize-destination' } } : {},
  );

  const refused = ['with blank', 'k'.repeat(256), 'a\uFFFDb'];
  expect(outcome).toMatchObject({ result: { imported: ['FINE'], refused } });
  expect(await folderOf(world)).toEqual({ FINE: '1' });
});

test('a parameter that another sync writes is never imported', async () => {
  const world = await createWorld(stage);
  await world.set({ A: 'theirs' });
  const owner = await world.createSync({ syncOptions: { keySchema: 'svc_{{secretKey}}' } });
  await world.runUntilDone(owner.id);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/FREE', value: 'of nobody' });
  const folder = await world.folders.ensure(world.orgId, { projectId: 'app', environment: 'prod', secretPath: '/web' });
  const { id } = await world.createSync({ folderId: folder.id, isAutoSyncEnabled: false });

  const { outcome } = await world.runUntilDone(id, {
    request: 'import',
    parameters: { importBehavior: 'prioritize-destination' },
  });

  expect(outcome).toMatchObject({
    status: 'succeeded',
    result: { imported: ['FREE'], others: ['/app/prod/svc_A'] },
  });
  expect((await world.folders.read(folder.id)).secrets.map((secret) => secret.key)).toEqual(['FREE']);
});

test('a secret that another sync writes is never imported, though its tag is gone', async () => {
  const world = await createWorld(stage);
  await world.set({ app: 'theirs' });
  const owner = await world.createSync({ ...toSecrets, syncOptions: { keySchema: 'svc_{{secretKey}}' } });
  await world.runUntilDone(owner.id);
  world.meddled('the tag is taken away from the first sync');
  world.sandbox.foreign.untagSecret({ ...world.at, name: 'prod/svc_app', tagKeys: ['keyferry:sync'] });
  const folder = await world.folders.ensure(world.orgId, { projectId: 'app', environment: 'prod', secretPath: '/web' });
  const { id } = await world.createSync({ ...toSecrets, folderId: folder.id, isAutoSyncEnabled: false });

  const { outcome } = await world.runUntilDone(id, {
    request: 'import',
    parameters: { importBehavior: 'prioritize-destination' },
  });

  expect(outcome).toMatchObject({ result: { imported: [], others: ['prod/svc_app'] } });
  expect((await world.folders.read(folder.id)).secrets).toEqual([]);
});
