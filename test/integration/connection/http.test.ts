/** The same access over sockets: Node's own handler, deadlines and stops included. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { GetParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createCallLog } from '../../../src/domain/call-log.ts';
import { JobError } from '../../../src/errors.ts';
import { type AwsSandboxServer, startAwsSandboxServer } from '../../../src/sandbox/aws/index.ts';
import { createWorld, REGION, ROLE_ARN, type World } from './world.ts';

let world: World;
let server: AwsSandboxServer;
beforeAll(async () => {
  world = createWorld();
  server = await startAwsSandboxServer(world.sandbox);
});
afterAll(() => server.close());

const credentials = {
  connectionId: '11111111-1111-4111-8111-111111111111',
  orgId: 'acme',
  credentialsRevision: 1,
  method: 'assume-role',
  roleArn: ROLE_ARN,
  externalId: 'acme',
} as const;

interface SessionOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly ssmUrl?: string;
}

function openSession(options: SessionOptions = {}) {
  const { url } = server;
  const { deadlineMs, signal = new AbortController().signal } = options;
  const access = createAwsAccess({
    baseCredentials: world.baseKey,
    region: REGION,
    endpoints: { sts: url, iam: url, ssm: options.ssmUrl ?? url, secretsmanager: url },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const scope = { signal, calls: createCallLog(), beforeMutation: () => Promise.resolve(), subjectId: 's' };
  return access.session({ credentials, region: REGION, scope });
}

const put = () => new PutParameterCommand({ Name: '/app/prod/A', Value: 'v', Type: 'SecureString', Overwrite: true });

describe('over HTTP', () => {
  it('works', async () => {
    const session = openSession();
    expect((await session.ssm.send(put())).Version).toBe(1);
    expect((await session.identity()).accountId).toBe('111122223333');
  });

  it('calls a lost answer to a write ambiguous, and repeats a read', async () => {
    const session = openSession();
    await session.identity();
    const removeFault = world.sandbox.faults.add({ service: 'ssm', action: 'drop-after', times: 2 });
    await expect(session.ssm.send(put())).rejects.toMatchObject({
      code: 'AWS_UNREACHABLE',
      context: { isAmbiguous: true },
    });
    await expect(session.ssm.send(new GetParametersCommand({ Names: ['/app/prod/A'] }))).resolves.toBeDefined();
    removeFault();
  });

  it.each([
    ['stays away', { delayAfterMs: 5_000 }],
    ['drips', { dripMs: 5_000 }],
  ])('ends at the deadline when the answer %s', async (_name, action) => {
    const session = openSession({ deadlineMs: 300 });
    await session.identity();
    const removeFault = world.sandbox.faults.add({ service: 'ssm', operation: 'PutParameter', action });
    const startMs = performance.now();
    await expect(session.ssm.send(put())).rejects.toMatchObject({
      code: 'AWS_UNREACHABLE',
      context: { isAmbiguous: true },
    });
    expect(performance.now() - startMs).toBeLessThan(2_000);
    removeFault();
  });

  it('ends at once when its run is stopped', async () => {
    const controller = new AbortController();
    const session = openSession({ signal: controller.signal });
    await session.identity();
    const removeFault = world.sandbox.faults.add({
      service: 'ssm',
      operation: 'PutParameter',
      action: { delayAfterMs: 5_000 },
    });
    const sending = session.ssm.send(put());
    setTimeout(() => {
      controller.abort(new JobError('LEASE_LOST'));
    }, 50);
    await expect(sending).rejects.toMatchObject({ code: 'LEASE_LOST', context: { isAmbiguous: true } });
    removeFault();
  });

  it.each([
    ['its deadline', 300, false],
    ['the stop of its run', 20_000, true],
  ])('closes the connection of a call that ends by %s', async (_name, deadlineMs, isStopped) => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const ssmUrl = `http://127.0.0.1:${String((silent.address() as AddressInfo).port)}`;
    const stop = new AbortController();
    const session = openSession({ deadlineMs, signal: stop.signal, ssmUrl });
    const asked = once(silent, 'request') as Promise<[IncomingMessage]>;
    const sending = session.ssm.send(put()).catch((error: unknown) => error);
    const [{ socket }] = await asked;
    if (isStopped) stop.abort(new JobError('LEASE_LOST'));
    await Promise.all([once(socket, 'close'), sending]);
    expect(socket.destroyed).toBe(true);
    silent.close();
  });
});
