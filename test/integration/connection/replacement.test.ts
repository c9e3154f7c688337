/** New credentials of a connection that works: whatever the way in, nothing working is lost. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { createConnectionStatus } from '../../../src/db/connection-status.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { assume, createReplacementWorld, roleArn, type ReplacementWorld } from './replacement-world.ts';

const ROUTE = '/api/v1/app-connections/aws';

describe('new credentials of a working connection', () => {
  const database = useTestDatabase();
  let world: ReplacementWorld;
  let name: string;
  let id: string;
  let count = 0;

  beforeAll(async () => {
    world = await createReplacementWorld(database().url);
    const worker = await world.program.startWorker({ queues: ['validate'] });
    return () => worker.stop();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    name = `prod-${String((count += 1))}`;
    const { connection, requestId } = await world.library.connections.create({ name, credentials: assume('good') });
    ({ id } = connection);
    expect((await world.library.runs.wait(requestId)).status).toBe('succeeded');
  });

  const patch = async (body: unknown) => {
    const answer = await world.api('PATCH', `${ROUTE}/${id}`, { body });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  it('that AWS refuses are refused by the API, and the old ones stay', async () => {
    const before = await world.library.connections.get(name);
    const answer = await patch({ method: 'assume-role', credentials: { roleArn: roleArn('foreign') } });
    expect(answer).toMatchObject({
      status: 409,
      body: { error: 'CONNECTION_INVALID', message: expect.stringContaining('keeps its old ones') as string },
    });
    expect(await world.library.connections.get(name)).toEqual(before);
  });

  it('are checked in a run of the connection’s history, with its calls', async () => {
    const before = world.sandbox.calls.byOperation();
    await patch({ credentials: { roleArn: roleArn('foreign') } });
    const made = Object.entries(world.sandbox.calls.byOperation()).map(([operation, count]) => [
      operation,
      count - (before[operation] ?? 0),
    ]);
    const [run] = await world.library.runs.list(id, 1);
    expect(run).toMatchObject({
      kind: 'validate',
      status: 'failed',
      requestedBy: 'ci',
      errorCode: 'CONNECTION_INVALID',
      awsCalls: Object.fromEntries(made.filter(([, count]) => count !== 0)) as Record<string, number>,
    });
    expect(made).toContainEqual(['sts.AssumeRole', 1]);
  });

  it('that AWS accepts replace them over the API', async () => {
    const answer = await patch({ credentials: { roleArn: roleArn('better') } });
    expect(answer).toMatchObject({ status: 200, body: { appConnection: { roleArn: roleArn('better') } } });
  });

  it('that AWS could not be asked about replace nothing', async () => {
    const before = await world.library.connections.get(name);
    onTestFinished(world.sandbox.faults.add({ operation: 'AssumeRole', action: 'drop-after' }));
    const answer = await patch({ credentials: { roleArn: roleArn('better') } });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const [run] = await world.library.runs.list(id, 1);
    expect(run).toMatchObject({ status: 'failed', errorCode: 'AWS_UNREACHABLE' });
    expect(run?.awsCalls?.['sts.AssumeRole']).toBeGreaterThanOrEqual(1);
    expect((await world.library.connections.get(name)).roleArn).toBe(before.roleArn);
  });

  it('that a library offers replace them once a validation accepted them', async () => {
    const offered = await world.library.connections.update(name, { credentials: assume('better') });
    expect(offered).toMatchObject({ roleArn: roleArn('good'), candidate: { roleArn: roleArn('better') } });
    const run = await world.library.connections.validate(name);
    const after = await world.library.connections.get(name);
    expect([run.status, after.status, after.roleArn, after.candidate, after.credentialsRevision]).toEqual([
      'succeeded',
      'valid',
      roleArn('better'),
      null,
      2,
    ]);
  });

  it('that a library offers and AWS refuses leave everything as it was, with the reason', async () => {
    const before = await world.library.connections.get(name);
    await world.library.connections.update(name, { credentials: assume('foreign') });
    const run = await world.library.connections.validate(name);
    expect(run).toMatchObject({
      status: 'failed',
      errorCode: 'CONNECTION_INVALID',
      errorMessage: expect.stringContaining(`${name} keeps its old ones`) as string,
    });
    const after = await world.library.connections.get(name);
    expect(after).toMatchObject({
      status: 'valid',
      statusCode: null,
      roleArn: before.roleArn,
      credentialsRevision: before.credentialsRevision,
      candidate: { roleArn: roleArn('foreign'), refusal: { code: 'CONNECTION_ACCESS_DENIED' } },
    });
    expect((await world.library.connections.validate(name)).status).toBe('succeeded');
  });

  it('that are an access key keep working from its first use on', async () => {
    const user = { accountId: '444455556666', userName: `deployer-${name}` };
    world.sandbox.createUser(user);
    const key = world.sandbox.createAccessKey(user);
    await world.library.connections.update(name, { credentials: { method: 'access-key', ...key } });
    expect((await world.library.connections.validate(name)).status).toBe('succeeded');
    const after = await world.library.connections.get(name);
    expect(after).toMatchObject({ method: 'access-key', accessKeyId: key.accessKeyId, roleArn: null, status: 'valid' });
    expect(JSON.stringify(after)).not.toContain(key.secretAccessKey);
    await world.program.stores.encryptionKeys.requireAll();
    expect((await world.program.stores.encryptionKeys.rewrap()).failed).toEqual([]);
  });

  it('replace them at once when they are forced, and drop what was offered', async () => {
    await world.library.connections.update(name, { credentials: assume('foreign') });
    const forced = await world.library.connections.update(name, { credentials: assume('better') }, { force: true });
    expect(forced).toMatchObject({ roleArn: roleArn('better'), candidate: null, status: 'pending' });
  });
});

describe('an exception from the external ID', () => {
  const database = useTestDatabase();

  it('is an operator’s, by name and with a reason, and is stored, audited and taken back', async () => {
    const world = await createReplacementWorld(database().url);
    onTestFinished(() => world.close());
    const { connection } = await world.library.connections.create({ name: 'legacy', credentials: assume('good') });
    const allow = { allowMissingExternalId: 'an old role of our own, see OPS-7' };
    await expect(world.library.connections.update('legacy', allow)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    const overApi = await world.api('PATCH', `${ROUTE}/${connection.id}`, { body: allow });
    expect(overApi.status).toBe(422);
    const operator = world.program.client({ name: 'ops' });
    await expect(operator.connections.update('legacy', { allowMissingExternalId: ' ' })).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
    });
    await operator.connections.update('legacy', allow);
    const shown = (await (await world.api('GET', `${ROUTE}/${connection.id}`)).json()) as { appConnection: unknown };
    expect(shown.appConnection).toMatchObject({
      externalIdException: { reason: allow.allowMissingExternalId, allowedBy: 'ops' },
    });
    await operator.connections.update('legacy', { allowMissingExternalId: null });
    expect((await operator.connections.get('legacy')).externalIdException).toBeNull();
    const audit = await world.program.stores.database.client`
      select action, actor, subject from keyferry.audit_log where via = 'operator' order by id`;
    expect([...audit]).toEqual([
      { action: 'connection.allowMissingExternalId', actor: 'ops', subject: connection.id },
      { action: 'connection.requireExternalId', actor: 'ops', subject: connection.id },
    ]);
  });
});

describe('a verdict on offered credentials', () => {
  const database = useTestDatabase();

  it('counts for those that were checked, and under the lease, only', async () => {
    const world = await createReplacementWorld(database().url);
    onTestFinished(() => world.close());
    const { database: handle, connections } = world.program.stores;
    const status = createConnectionStatus(handle.db);
    const { connection } = await world.library.connections.create({ name: 'prod', credentials: assume('good') });
    await world.library.connections.update('prod', { credentials: assume('foreign') });
    const [first] = await connections.list('acme');
    await world.library.connections.update('prod', { credentials: assume('better') });
    const runId = crypto.randomUUID();
    const place = { connectionId: connection.id, runId, candidateId: first?.candidate?.id ?? '' };
    await handle.client`update keyferry.connections set run_token = ${runId}
      where id = ${connection.id}`;
    const refusal = { code: 'CONNECTION_ACCESS_DENIED', message: 'no', at: new Date().toISOString() };
    expect([await status.acceptCandidate(place), await status.refuseCandidate(place, refusal)]).toEqual([false, false]);
    const row = await connections.byId(connection.id);
    expect([row.roleArn, row.candidate?.roleArn, row.candidate?.refusal]).toEqual([
      roleArn('good'),
      roleArn('better'),
      undefined,
    ]);
    const current = { ...place, candidateId: row.candidate?.id ?? '' };
    expect(await status.acceptCandidate({ ...current, runId: crypto.randomUUID() })).toBe(false);
    expect(await status.acceptCandidate(current)).toBe(true);
    expect(await connections.byId(connection.id)).toMatchObject({ roleArn: roleArn('better'), candidate: null });
  });
});
