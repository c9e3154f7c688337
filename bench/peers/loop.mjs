/**
 * What a script over the AWS SDK does: one work of the comparison, given as JSON on stdin. A first
 * run writes every object, a later one reads all of them and writes those that differ. Retries are
 * the SDK's own. Prints what the work took, as JSON.
 */
import { readFileSync } from 'node:fs';

import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { DeleteParametersCommand, GetParametersCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { NodeHttpHandler } from '@smithy/node-http-handler';

const { work, service, concurrency, objects, client: settings } = JSON.parse(readFileSync(0, 'utf8'));
const names = Object.keys(objects);
const agents = { httpAgent: { keepAlive: true, maxSockets: concurrency } };
const client = new (service === 'ssm' ? SSMClient : SecretsManagerClient)({
  ...settings,
  requestHandler: new NodeHttpHandler(agents),
});

const parameters = {
  perRead: 10,
  perDeletion: 10,
  create: (Name) => new PutParameterCommand({ Name, Value: objects[Name], Type: 'SecureString' }),
  update: (Name) => new PutParameterCommand({ Name, Value: objects[Name], Type: 'SecureString', Overwrite: true }),
  read: async (Names) => {
    const { Parameters = [] } = await client.send(new GetParametersCommand({ Names, WithDecryption: true }));
    return Parameters.map(({ Name, Value }) => [Name, Value]);
  },
  remove: (Names) => new DeleteParametersCommand({ Names }),
};
const secrets = {
  perRead: 20,
  perDeletion: 1,
  create: (Name) => new CreateSecretCommand({ Name, SecretString: objects[Name] }),
  update: (SecretId) => new PutSecretValueCommand({ SecretId, SecretString: objects[SecretId] }),
  read: async (SecretIdList) => {
    const { SecretValues = [] } = await client.send(new BatchGetSecretValueCommand({ SecretIdList }));
    return SecretValues.map(({ Name, SecretString }) => [Name, SecretString]);
  },
  remove: ([SecretId]) => new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 30 }),
};
const store = service === 'ssm' ? parameters : secrets;

const chunks = (list, size) =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));

/**
 * Objects that AWS refuses for good are skipped, as most scripts do; the contest counts them by
 * reading AWS.
 */
async function each(items, action) {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await action(item).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function perform() {
  if (work === 'first') return each(names, (name) => client.send(store.create(name)));
  if (work === 'deleted') return each(chunks(names, store.perDeletion), (part) => client.send(store.remove(part)));
  const found = new Map();
  await each(chunks(names, store.perRead), async (part) => {
    for (const [name, value] of await store.read(part)) found.set(name, value);
  });
  await each(
    names.filter((name) => found.get(name) !== objects[name]),
    (name) => client.send(found.has(name) ? store.update(name) : store.create(name)),
  );
}

const before = process.cpuUsage();
const startedAt = performance.now();
await perform();
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  JSON.stringify({
    seconds: (performance.now() - startedAt) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    peakMb: process.resourceUsage().maxRSS / 1_024,
  }),
);
client.destroy();
