/** Examples of bodies for the OpenAPI document, by operation. A test holds each to its schema. */

const ID = '22222222-2222-4222-8222-222222222222';
const source = { projectId: 'shop', environment: 'prod', secretPath: '/api', connectionId: ID };
const parameters = { destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' } };
const secrets = { destinationConfig: { region: 'eu-west-1', mappingBehavior: 'many-to-one', secretName: 'shop/api' } };
const jwt = { identityId: 'deploy', jwt: 'eyJ…' };

export const bodyExamples: Readonly<Record<string, unknown>> = {
  'auth.login': { clientId: ID, clientSecret: 'kfs_…' },
  'auth.jwtLogin': jwt,
  'auth.oidcLogin': jwt,
  'auth.kubernetesLogin': jwt,
  'auth.renew': { accessToken: 'kfa_…' },
  'auth.revoke': { accessToken: 'kfa_…' },
  'connection.create': {
    name: 'prod-aws',
    method: 'assume-role',
    credentials: { roleArn: 'arn:aws:iam::444455556666:role/keyferry' },
  },
  'connection.update': { credentials: { roleArn: 'arn:aws:iam::444455556666:role/keyferry-2' } },
  'secrets.set': { projectId: 'shop', environment: 'prod', secretPath: '/api', secrets: { DB_HOST: 'db.internal' } },
  'source.set': {
    projectId: 'shop',
    environment: 'prod',
    secretPath: '/api',
    source: { kind: 'http', url: 'https://config.example.com/api.env', token: 'cfg-of-the-shop', everySeconds: 300 },
  },
  'source.run': { projectId: 'shop', environment: 'prod', secretPath: '/api' },
  'parameterStoreSync.create': { name: 'api', ...source, ...parameters },
  'parameterStoreSync.update': { syncOptions: { tags: [{ key: 'team', value: 'shop' }] } },
  'parameterStoreSync.checkDestination': { projectId: 'shop', ...parameters },
  'secretsManagerSync.create': { name: 'api', ...source, ...secrets },
  'secretsManagerSync.update': { isAutoSyncEnabled: false },
  'secretsManagerSync.checkDestination': { projectId: 'shop', ...secrets },
  'rotation.create': {
    name: 'deployer',
    ...source,
    secretPath: '/deploy',
    rotationInterval: 30,
    rotateAtUtc: { hours: 3, minutes: 15 },
    parameters: { userName: 'shop-deployer' },
    secretsMapping: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' },
  },
  'rotation.update': { rotationInterval: 60 },
  'webhook.create': { name: 'shop', url: 'https://shop.example.com/keyferry', events: ['sync.changed'] },
};

const errors: Readonly<Record<number, readonly [error: string, message: string]>> = {
  401: ['Unauthorized', 'Send a valid token: `Authorization: Bearer …`.'],
  403: ['Forbidden', 'This needs the scope admin.'],
  404: ['SYNC_NOT_FOUND', 'There is no sync of this name or id in this org.'],
  409: ['CONNECTION_INVALID', 'AWS refuses the credentials of the connection.'],
  412: ['PAYLOAD_STALE', 'api was changed in the meantime: it is at version 3. Read it again, then repeat the change.'],
  422: ['PAYLOAD_INVALID', 'destinationConfig.path is required.'],
  429: ['Too Many Requests', 'Too many requests. Send it again later.'],
  503: ['DB_UNAVAILABLE', 'The database does not answer.'],
};

/** Undefined for a status whose body only repeats its reason phrase. */
export function problemExample(statusCode: number): unknown {
  const found = errors[statusCode];
  if (found === undefined) return undefined;
  const [error, message] = found;
  return { statusCode, error, message, requestId: ID, reqId: ID };
}
