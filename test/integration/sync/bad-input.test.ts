import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { ALL_ACTIONS, allow, createWorld, MINUTE, REGION, type SyncInput, total } from './world.ts';

const JSON_SECRET = { region: REGION, mappingBehavior: 'many-to-one', secretName: 'app' } as const;
const stage = useStage();

const REQUEST_ID = /AWS request id: 00000000-0000-4000-8000-\d{12}\./;
const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};

test('oversized, empty and nested values are told at once by name and remedy; the rest is synced', async () => {
  const world = await createWorld(stage);
  await world.set({ BIG: 'x'.repeat(4_097), EMPTY: '', NESTED: 'a {{b}} c', GOOD: 'fine' });
  const { id } = await world.createSync();

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_ENTRY_INVALID',
    message:
      'BIG (/app/prod/BIG): The value has 4097 bytes; standard parameters hold 4096. Set `tier: advanced` or intelligent, or shorten it. And 2 more: see `keyferry sync show`.',
    counts: { created: 1, failed: 3 },
  });
  expect(total(calls)).toBe(1);
  expect((await world.entry(id, 'EMPTY'))?.errorMessage).toBe(
    'EMPTY (/app/prod/EMPTY): The value is empty; AWS stores no empty values. Set a value or remove the secret.',
  );
  expect((await world.entry(id, 'NESTED'))?.errorMessage).toContain(
    'must not hold {{…}}. Use Secrets Manager for this secret.',
  );
});

test('a value that was emptied or cannot be decrypted is an error of its entry, never a deletion', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2', C: '3' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: '', C: 'new' });
  await stage.handle.db.execute(
    sql`update keyferry.secrets set value = 'v1.other.AAAA', revision = revision + 1
      where folder_id = ${world.folder.id} and key = 'B'`,
  );

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_PARTIAL',
    counts: { updated: 1, deleted: 0, failed: 2 },
  });
  expect(world.parameters()).toEqual({ '/app/prod/A': '1', '/app/prod/B': '2', '/app/prod/C': 'new' });
  expect((await world.entry(id, 'B'))?.errorMessage).toBe(
    'B (/app/prod/B): The stored value cannot be decrypted. Run `keyferry keys check`; add the missing key or set the secret again.',
  );
});

test('a name that AWS does not allow names the rule', async () => {
  const world = await createWorld(stage);
  await world.set({ [`${'deep/'.repeat(20)}K`]: '1', OK: '2' });
  const { id } = await world.createSync();

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_ENTRY_INVALID' });
  expect('message' in outcome && outcome.message).toContain(
    'The parameter name has 23 levels; AWS allows 15. Choose a shorter path.',
  );
  expect(calls).toEqual({ 'ssm.PutParameter': 1 });
});

test('too many tags, and tags that AWS does not allow, are violations of their entry', async () => {
  const world = await createWorld(stage);
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${String(index)}`, 'x']));
  await world.set({ MANY: '1', BAD: '2', GOOD: '3' }, { MANY: many, BAD: { 'aws:x': 'y' }, GOOD: { owner: 'ann' } });
  const { id } = await world.createSync({ syncOptions: { syncSecretMetadataAsTags: true } });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_ENTRY_INVALID', counts: { created: 1, failed: 2 } });
  expect((await world.entry(id, 'MANY'))?.errorMessage).toBe(
    'MANY (/app/prod/MANY): 51 tags; AWS allows 50, one of which marks the owner. Remove metadata or tags.',
  );
  expect((await world.entry(id, 'BAD'))?.errorMessage).toContain('AWS does not allow the tag aws:x');
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/GOOD' })?.tags).toMatchObject({
    owner: 'ann',
  });
});

test('a KMS key that may not be used fails each entry with the request id and the remedy', async () => {
  const world = await createWorld(stage, { policy: allow(ALL_ACTIONS.filter((action) => !action.startsWith('kms:'))) });
  const key = world.sandbox.createKmsKey(world.at);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ syncOptions: { keyId: key.keyId } });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'AWS_KMS_DENIED' });
  const message = 'message' in outcome ? outcome.message : '';
  expect(message).toMatch(/^A \(\/app\/prod\/A\): /);
  expect(message).toMatch(REQUEST_ID);
  expect(message).toMatch(/Allow the identity in the key policy, or enable the key\.$/);
});

test('access denied on one path fails that entry and no other', async () => {
  const world = await createWorld(stage, {
    policy: {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: [...ALL_ACTIONS], Resource: '*' },
        { Effect: 'Deny', Action: 'ssm:PutParameter', Resource: `arn:aws:ssm:${REGION}:*:parameter/app/prod/DENIED` },
      ],
    },
  });
  await world.set({ A: '1', DENIED: '2', Z: '3' });
  const { id } = await world.createSync();

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'AWS_ACCESS_DENIED', counts: { created: 2, failed: 1 } });
  const message = 'message' in outcome ? outcome.message : '';
  expect(message).toMatch(/^DENIED \(\/app\/prod\/DENIED\): AWS denied ssm:PutParameter on arn:aws:ssm:/);
  expect(message).toMatch(REQUEST_ID);
  expect(message).toContain('`keyferry policy` prints complete policies');
  expect(Object.keys(world.parameters())).toEqual(['/app/prod/A', '/app/prod/Z']);
});

test.each([
  ['ssm:PutParameter', {}],
  ['secretsmanager:CreateSecret', { mappingBehavior: 'one-to-one', prefix: 'app/' }],
  ['secretsmanager:CreateSecret', { mappingBehavior: 'many-to-one', secretName: 'app' }],
] as const)('%s, which no probe can find out, is missed by the first real call, and blocks: %j', async (action, to) => {
  const world = await createWorld(stage, { policy: allow(ALL_ACTIONS.filter((one) => one !== action)) });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(
    'mappingBehavior' in to ? { destination: 'aws-secrets-manager', destinationConfig: { region: REGION, ...to } } : {},
  );

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'blocked', code: 'AWS_ACCESS_DENIED' });
  expect('message' in outcome && outcome.message).toContain(`AWS denied ${action}`);
  expect(Object.keys(calls)).toEqual([action.replace(':', '.')]);
});

test('a missing permission blocks the sync before its first write and says what to add', async () => {
  const world = await createWorld(stage, {
    policy: allow(ALL_ACTIONS.filter((action) => action !== 'ssm:DeleteParameters')),
  });
  await world.set({ A: '1' });
  const { id } = await world.createSync();

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({
    status: 'blocked',
    code: 'AWS_ACCESS_DENIED',
    result: {
      missing: ['ssm:DeleteParameters'],
      statements: [expect.objectContaining({ Effect: 'Allow', Action: 'ssm:DeleteParameters' })],
    },
  });
  expect('message' in outcome && outcome.message).toMatch(
    /^The connection lacks ssm:DeleteParameters; nothing was written\. Validate it \(`keyferry connection validate \S+`\): its checks have the statements to add\.$/,
  );
  expect(calls).toEqual({});
  expect(world.parameters()).toEqual({});
  // It is looked at again by itself.
  expect((await world.row(id)).nextDueAt).not.toBeNull();
});

test('what somebody edited or deleted by hand is not overwritten in detect mode, and repaired when a person asks', async () => {
  const world = await createWorld(stage);
  await world.set({ EDITED: '1', GONE: '2', FINE: '3' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  world.clock.advance(2 * MINUTE);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/EDITED', value: 'theirs' });
  world.sandbox.foreign.deleteParameter({ ...world.at, name: '/app/prod/GONE' });
  await world.set({ EDITED: 'new', GONE: 'new', FINE: 'new' });

  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({ status: 'partial', code: 'SYNC_DRIFTED', counts: { updated: 1, conflicts: 2 } });
  expect('message' in outcome && outcome.message).toContain(
    'EDITED (/app/prod/EDITED) was changed at AWS outside keyferry. Repair them with `keyferry sync run`, or set `drift: repair`.',
  );
  expect(world.parameters()).toEqual({ '/app/prod/EDITED': 'theirs', '/app/prod/FINE': 'new' });

  const asked = await world.runUntilDone(id, { request: 'sync' });
  expect(asked.outcome.status).toBe('succeeded');
  expect(world.parameters()).toEqual({ '/app/prod/EDITED': 'new', '/app/prod/GONE': 'new', '/app/prod/FINE': 'new' });
  expect((await world.row(id)).drift).toBe('none');
});

test('a source emptied by mistake is blocked until exactly its deletions are confirmed', async () => {
  const world = await createWorld(stage);
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: null, B: null });

  const first = await world.runUntilDone(id);
  const wrong = await world.runUntilDone(id, { request: 'sync', parameters: { confirmDeletions: 1 } });
  expect(first.outcome).toMatchObject({
    status: 'blocked',
    code: 'SYNC_DELETIONS_UNCONFIRMED',
    message:
      'The source is empty: the plan deletes 2 objects. Look at `keyferry sync plan`; if meant: run the sync with `confirmDeletions: 2`.',
  });
  expect(wrong.outcome.status).toBe('blocked');
  expect((await world.row(id)).nextDueAt).toBeNull();
  expect(Object.keys(world.parameters())).toHaveLength(2);

  const confirmed = await world.runUntilDone(id, { request: 'sync', parameters: { confirmDeletions: 2 } });
  expect(confirmed.outcome).toMatchObject({ status: 'succeeded', counts: { deleted: 2 } });
  expect(world.parameters()).toEqual({});
});

test.each([
  ['parameters', {}],
  ['keys of a JSON secret', { destination: 'aws-secrets-manager', destinationConfig: JSON_SECRET }],
] as const)('a script that removes few %s many times is stopped like one that removes many', async (_what, input) => {
  const world = await createWorld(stage);
  const keys = Array.from({ length: 40 }, (_, index) => `K${String(index)}`);
  await world.set(Object.fromEntries(keys.map((key) => [key, 'v'])));
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  const removeSome = async (count: number, confirmDeletions?: number) => {
    await world.set(Object.fromEntries(keys.splice(0, count).map((key) => [key, null])));
    if (confirmDeletions === undefined) return (await world.runUntilDone(id)).outcome;
    return (await world.runUntilDone(id, { request: 'sync', parameters: { confirmDeletions } })).outcome;
  };

  expect(await removeSome(6)).toMatchObject({ status: 'succeeded', counts: { deleted: 6 } });
  expect(await removeSome(6)).toMatchObject({ status: 'succeeded', counts: { deleted: 6 } });
  const stopped = await removeSome(6);
  expect(stopped).toMatchObject({ status: 'blocked', code: 'SYNC_DELETIONS_UNCONFIRMED' });
  expect('message' in stopped && stopped.message).toMatch(
    /^More than 12 of 40 would go within an hour \(12 are gone already\): the plan deletes 6 objects\..*confirmDeletions: 6/,
  );
  // What a person has confirmed does not count against the next ones.
  expect(await removeSome(0, 6)).toMatchObject({ status: 'succeeded', counts: { deleted: 6 } });
  expect(await removeSome(6)).toMatchObject({ status: 'succeeded', counts: { deleted: 6 } });
  world.clock.advance(61 * MINUTE);
  expect(await removeSome(9)).toMatchObject({ status: 'succeeded', counts: { deleted: 9 } });
});

test('foreign objects of the same name are conflicts, or taken over where that is allowed', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/A', value: 'theirs', tags: { theirs: 'yes' } });
  world.sandbox.foreign.putParameter({ ...world.at, name: '/app/prod/S', value: 'theirs', type: 'String' });
  await world.set({ A: 'ours', S: 'ours', B: 'ours' });
  const { id } = await world.createSync();

  const { outcome } = await world.runUntilDone(id);
  expect(outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_CONFLICT',
    message:
      'A (/app/prod/A) exists and is not managed by this sync. Remove or rename the object, or let the sync take it over with `onExisting: adopt`. And 1 more: see `keyferry sync show`.',
  });
  expect(world.parameters()).toMatchObject({ '/app/prod/A': 'theirs', '/app/prod/B': 'ours' });

  const sync = await world.row(id);
  await world.syncs.update(sync, { syncOptions: { ...sync.syncOptions, onExisting: 'adopt' } }, 'ann');
  const adopted = await world.runUntilDone(id);
  expect(adopted.outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_CONFLICT',
    counts: { adopted: 1, conflicts: 1 },
  });
  expect(world.sandbox.inspect.parameter({ ...world.at, name: '/app/prod/A' })).toMatchObject({
    value: 'ours',
    tags: { theirs: 'yes', 'keyferry:sync': world.tagOf(id) },
  });
  // A String is never written into: it is left alone, with the reason.
  expect(world.parameters()['/app/prod/S']).toBe('theirs');
  expect((await world.entry(id, 'S'))?.errorMessage).toContain(
    'exists as String, which keyferry never writes into; delete it first',
  );
});

test('a secret that somebody scheduled for deletion is not ours to restore', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/A', value: 'theirs' });
  world.sandbox.foreign.deleteSecret({ ...world.at, name: 'prod/A' });
  await world.set({ A: 'ours' });
  const { id } = await world.createSync(toSecrets);

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_CONFLICT' });
  expect('message' in outcome && outcome.message).toContain(
    'A (prod/A) is scheduled for deletion and is not managed by this sync',
  );
});

test('a JSON secret that holds no JSON object is left alone', async () => {
  const world = await createWorld(stage);
  world.sandbox.foreign.putSecret({ ...world.at, name: 'prod/app', value: 'plain text' });
  await world.set({ A: '1' });
  const { id } = await world.createSync({
    destination: 'aws-secrets-manager',
    destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod/app' },
    syncOptions: { onExisting: 'adopt' },
  });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'SYNC_ENTRY_INVALID' });
  expect('message' in outcome && outcome.message).toContain('prod/app: The secret does not hold a JSON object');
  expect(world.secrets()).toEqual({ 'prod/app': 'plain text' });
});

test('a secret beyond 65,536 bytes and a name that AWS refuses are told before the first call', async () => {
  const world = await createWorld(stage);
  await world.set({ BIG: 'é'.repeat(32_769), 'SP CE': '1', GOOD: '2' });
  const { id } = await world.createSync(toSecrets);

  const { outcome, calls } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({
    status: 'partial',
    code: 'SYNC_ENTRY_INVALID',
    counts: { created: 1, failed: 2 },
  });
  expect((await world.entry(id, 'BIG'))?.errorMessage).toBe(
    'BIG (prod/BIG): The value has 65538 bytes; Secrets Manager allows 65536. Split it.',
  );
  expect((await world.entry(id, 'SP CE'))?.errorMessage).toContain('SP CE (prod/SP CE): ');
  expect(calls).toEqual({ 'secretsmanager.CreateSecret': 1 });
});

test('a KMS key that Secrets Manager may not use names the secret, the request id and the remedy', async () => {
  const world = await createWorld(stage, { policy: allow(ALL_ACTIONS.filter((action) => !action.startsWith('kms:'))) });
  const key = world.sandbox.createKmsKey(world.at);
  await world.set({ A: '1' });
  const { id } = await world.createSync({ ...toSecrets, syncOptions: { keyId: key.keyId } });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'failed', code: 'AWS_KMS_DENIED' });
  const message = 'message' in outcome ? outcome.message : '';
  expect(message).toMatch(/^A \(prod\/A\): /);
  expect(message).toMatch(REQUEST_ID);
  expect(message).toMatch(/Allow the identity in the key policy, or enable the key\.$/);
});

test('a secret that may not be deleted stays, is named with the missing permission, and stops no other', async () => {
  const world = await createWorld(stage, {
    policy: {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: [...ALL_ACTIONS], Resource: '*' },
        { Effect: 'Deny', Action: 'ssm:DeleteParameters', Resource: `arn:aws:ssm:${REGION}:*:parameter/app/prod/KEPT` },
      ],
    },
  });
  await world.set({ A: '1', KEPT: '2', Z: '3', STAYS: '4' });
  const { id } = await world.createSync();
  await world.runUntilDone(id);
  await world.set({ A: null, KEPT: null, Z: null });

  const { outcome } = await world.runUntilDone(id);

  expect(outcome).toMatchObject({ status: 'partial', code: 'AWS_ACCESS_DENIED', counts: { deleted: 2, failed: 1 } });
  const message = 'message' in outcome ? outcome.message : '';
  expect(message).toMatch(/^KEPT \(\/app\/prod\/KEPT\): AWS denied ssm:DeleteParameters/);
  expect(message).toMatch(REQUEST_ID);
  expect(Object.keys(world.parameters())).toEqual(['/app/prod/KEPT', '/app/prod/STAYS']);
});
