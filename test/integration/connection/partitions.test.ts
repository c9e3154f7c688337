/** AWS keeps its partitions apart: a region of another one can never be reached by a connection. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { loadConfig } from '../../../src/config/config.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { compose, type Program } from '../../../src/main.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };
const role = (partition: string) =>
  ({ method: 'assume-role', roleArn: `arn:${partition}:iam::444455556666:role/app` }) as const;
let program: Program;

beforeAll(async () => {
  program = compose(
    loadConfig({
      DATABASE_URL: database().url,
      KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
      KEYFERRY_ORG: 'acme',
    }),
    pino({ level: 'silent' }),
  );
  const { connections, secrets } = program.client();
  await connections.create({ name: 'world', region: 'eu-west-1', credentials: role('aws') });
  await connections.create({ name: 'china', region: 'cn-north-1', credentials: role('aws-cn') });
  const accessKey = {
    method: 'access-key',
    accessKeyId: 'AKIAEXAMPLEEXAMPLE',
    secretAccessKey: 'x'.repeat(40),
  } as const;
  await connections.create({ name: 'key', region: 'cn-north-1', credentials: accessKey });
  await secrets.set(place, { values: { A: '1' } });
});
afterAll(() => program.close());

const refused = (...problems: readonly string[]) => ({ code: 'PAYLOAD_INVALID', context: { problems } });
const inChina =
  'region cn-north-1 is in partition aws-cn, but the connection is in partition aws: choose a region such as us-east-1';

test('a connection is refused a region of another partition, with whatever else is wrong', async () => {
  const { connections } = program.client();
  const create = { name: 'wrong', region: 'cn-north-1', credentials: role('aws'), narrowAccessKey: true };
  await expect(connections.create(create)).rejects.toMatchObject(
    refused('narrowAccessKey is for an access key; a role is narrowed for each use anyhow', inChina),
  );
  await expect(connections.update('world', { region: 'cn-north-1' })).rejects.toMatchObject(refused(inChina));
  // The region that the row has, and the role that it would get.
  await expect(connections.update('china', { credentials: role('aws') })).rejects.toMatchObject(refused(inChina));
});

const sync = (connection: string, region: string) => ({
  ...{ name: `${connection}-${region}`, connection, source: place, destination: 'aws-parameter-store' as const },
  destinationConfig: { region, path: `/${connection}/${region}/` },
});

test('a sync is refused a region of another partition than its connection, when it moves, too', async () => {
  const { syncs } = program.client();
  const field = `destinationConfig.${inChina}`;
  await expect(syncs.create(sync('world', 'cn-north-1'))).rejects.toMatchObject(refused(field));
  const { id } = await syncs.create(sync('world', 'eu-west-1'));
  const moved = { destinationConfig: { region: 'cn-north-1', path: '/moved/' } };
  await expect(syncs.update(id, moved)).rejects.toMatchObject(refused(field));
  await expect(syncs.update(id, { connection: 'china' })).rejects.toMatchObject({
    publicMessage: expect.stringContaining('destinationConfig.region eu-west-1 is in partition aws') as string,
  });
  expect(await syncs.update(id, { connection: 'china', ...moved })).toMatchObject({ connectionName: 'china' });
});

test('the account of an access key is not known before its validation, so its region is taken', async () => {
  const { syncs } = program.client();
  expect(await syncs.create(sync('key', 'us-gov-east-1'))).toMatchObject({ connectionName: 'key' });
});
