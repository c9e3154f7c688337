/** The examples, run as their readers run them, against a worker, a server, and the AWS sandbox. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

import { InfisicalSDK } from '@infisical/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { openInfisical, type FakeInfisical } from '../integration/sources/fake-sources.ts';
import { runProcess, startProcess, type ProcessOptions } from '../support/processes.ts';
import { createTemporaryDirectory } from '../support/temporary-directory.ts';
import { ACCOUNT, startInstallation, type Installation } from './support/installation.ts';

const root = new URL('../../', import.meta.url).pathname;
const SECRET = 'canary-client-secret';
const hasPythonProducer = (await runProcess('python3', { arguments: ['-c', 'import bullmq'] })).code === 0;

describe('the examples', () => {
  let installation: Installation;
  let infisical: FakeInfisical;
  let path: string;
  beforeAll(async () => {
    infisical = await openInfisical('client-1', SECRET);
    const hosts = { KEYFERRY_SOURCE_HOSTS: '127.0.0.1', KEYFERRY_WEBHOOK_HOSTS: '127.0.0.1', KEYFERRY_ORG: 'acme' };
    installation = await startInstallation({ environment: hosts });
    installation.trust('acme');
    const bin = await createTemporaryDirectory('examples');
    const command = `#!/bin/sh\nexec '${process.execPath}' '${root}bin/keyferry.js' "$@"\n`;
    writeFileSync(join(bin, 'keyferry'), command, { mode: 0o755 });
    path = `${bin}:${process.env['PATH'] ?? ''}`;
    await createSync();
  }, 120_000);
  afterAll(async () => {
    await installation.stop();
    await infisical.server.close();
  }, 60_000);

  const options = (more: Readonly<Record<string, string>>, args: readonly string[]): ProcessOptions => ({
    environment: { ...installation.environment, PATH: path, ...more },
    arguments: args,
    directory: root,
  });
  const runTs = (name: string, more: Readonly<Record<string, string>> = {}) =>
    runProcess(process.execPath, options(more, ['--import', 'tsx', `examples/${name}`]), 60_000);
  const parameter = (name: string) =>
    installation.sandbox.inspect.parameter({ accountId: ACCOUNT, region: 'eu-west-1', name })?.value;
  const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
  let syncId = '';

  async function createSync(): Promise<void> {
    const { keyferry } = installation;
    const roleArn = `arn:aws:iam::${ACCOUNT}:role/keyferry`;
    const credentials = { method: 'assume-role', roleArn } as const;
    const { requestId } = await keyferry.connections.create({ name: 'aws', region: 'eu-west-1', credentials });
    expect(await keyferry.runs.wait(requestId)).toMatchObject({ status: 'succeeded' });
    await keyferry.secrets.set(place, { values: { FIRST: '1' } });
    const destinationConfig = { region: 'eu-west-1', path: '/shop/api/' };
    const destination = 'aws-parameter-store';
    syncId = (
      await keyferry.syncs.create({ name: 'api', connection: 'aws', source: place, destination, destinationConfig })
    ).id;
    expect(await keyferry.syncs.run('api')).toMatchObject({ status: 'succeeded' });
  }

  it('an application with its own transaction', async () => {
    const { DATABASE_URL = '' } = installation.environment;
    const ran = await runTs('application.ts', { APP_DATABASE_URL: DATABASE_URL });
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([0, 'brought over DB_HOST: revision 3, 1 sync due\n', '']);
    await expect.poll(() => parameter('/shop/api/DB_HOST'), { timeout: 20_000 }).toBe('db-2.internal.example');
  }, 90_000);

  it('a plain producer', async () => {
    const ran = await runTs('producer.ts', { SYNC_ID: syncId });
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const [, requestId = ''] = /^recorded as request ([0-9a-f-]{36})\n$/.exec(ran.stdout) ?? [];
    expect(await installation.keyferry.runs.wait(requestId)).toMatchObject({ status: 'succeeded', subjectId: syncId });
  }, 90_000);

  it.skipIf(!hasPythonProducer)(
    'a producer in Python',
    async () => {
      const ran = await runProcess('python3', options({ SYNC_ID: syncId }, ['examples/producer.py']), 30_000);
      expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/^added job \S+\n$/)]);
      const asked = async () => (await installation.keyferry.runs.list(syncId, 1))[0]?.requestedBy;
      await expect.poll(asked, { timeout: 20_000 }).toBe('deploy script');
    },
    60_000,
  );

  it('Infisical to AWS, as the SDK of Infisical reads the same folder', async () => {
    infisical.values = { DB_URL: 'canary-url', API_KEY: 'canary-key', LOCAL_ONLY: 'canary-local' };
    const settings = {
      ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/keyferry`,
      ...{ INFISICAL_URL: infisical.server.url, INFISICAL_PROJECT: 'p-1' },
      ...{ INFISICAL_CLIENT_ID: 'client-1', INFISICAL_CLIENT_SECRET: SECRET },
    };
    const ran = await runProcess('sh', options(settings, ['examples/infisical-to-aws.sh']), 90_000);
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/changes +2 (created|unchanged)/)]);
    expect(ran.stdout + ran.stderr).not.toContain('canary');

    const sdk = new InfisicalSDK({ siteUrl: infisical.server.url });
    await sdk.auth().universalAuth.login({ clientId: 'client-1', clientSecret: SECRET });
    const { secrets } = await sdk
      .secrets()
      .listSecrets({ projectId: 'p-1', environment: 'prod', secretPath: '/api', viewSecretValue: true });
    const taken = secrets.filter(({ secretKey }) => !secretKey.startsWith('LOCAL_'));
    expect(taken).toHaveLength(2);
    for (const { secretKey, secretValue } of taken) expect(parameter(`/shop/infisical/${secretKey}`)).toBe(secretValue);
    expect(parameter('/shop/infisical/LOCAL_ONLY')).toBeUndefined();
  }, 150_000);

  it('a workflow that says whether AWS differs', async () => {
    const workflow = parse(readFileSync(`${root}examples/github-actions.yml`, 'utf8')) as {
      jobs: { plan: { env: object; steps: { name?: string; run: string }[] } };
    };
    const { env, steps } = workflow.jobs.plan;
    expect(Object.keys(env)).toEqual(['DATABASE_URL', 'KEYFERRY_ENCRYPTION_KEYS', 'KEYFERRY_ORG']);
    const script = steps.find(({ name }) => name === 'Plan')?.run ?? '';
    const plan = () => runProcess('bash', options({}, ['-e', '-c', script]), 60_000);
    const before = await plan();
    expect([before.code, before.stdout]).toEqual([0, expect.stringContaining('Nothing to do.')]);
    await installation.keyferry.syncs.pause('api');
    await installation.keyferry.secrets.set(place, { values: { FIRST: 'changed' } });
    const after = await plan();
    expect([after.code, after.stdout]).toEqual([0, expect.stringContaining('::warning::AWS differs')]);
    await installation.keyferry.syncs.resume('api');
  }, 150_000);

  it('a receiver that verifies, as the page of events shows it', async () => {
    const source = readFileSync(`${root}examples/webhook-receiver.ts`, 'utf8');
    const [shown = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(`${root}docs/events.md`, 'utf8'))?.slice(1) ?? [];
    const code = (text: string) => text.replace(/\s+/g, '');
    expect(shown).not.toBe('');
    expect(code(source)).toContain(code(shown));
    const port = await freePort();
    const url = `http://127.0.0.1:${String(port)}/`;
    const create = ['webhook', 'create', 'shop', '--url', url, '--event', 'sync.changed', '--json'];
    const made = await runProcess('keyferry', options({}, create), 60_000);
    const { secret } = JSON.parse(made.stdout) as { secret: string };
    const environment = { PORT: String(port), WEBHOOK_SECRET: secret };
    const receiver = startProcess(
      process.execPath,
      options(environment, ['--import', 'tsx', 'examples/webhook-receiver.ts']),
    );
    const unsigned = () =>
      fetch(url, { method: 'POST', body: '{}' }).then(
        (answer) => answer.status,
        () => 0,
      );
    await expect.poll(unsigned, { timeout: 20_000 }).toBe(401);
    await installation.keyferry.secrets.set(place, { values: { FIRST: 'told' } });
    await receiver.waitForLine(/^sync.changed api$/, 30_000);
  }, 90_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
