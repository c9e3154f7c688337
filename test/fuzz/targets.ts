/**
 * What is fuzzed: each target takes generated input and must return, or throw a `JobError`; nothing
 * else, and soon.
 */
import fc from 'fast-check';

import { createAwsAccess } from '../../src/aws/access.ts';
import { createAccessKeys } from '../../src/aws/access-keys.ts';
import { readDenial } from '../../src/aws/denial.ts';
import { openParameterStore } from '../../src/aws/parameter-store.ts';
import { openSecretsManager } from '../../src/aws/secrets-manager.ts';
import { decodeSecretText, parseSecrets } from '../../src/domain/secret-text.ts';
import { loadConfig, variables } from '../../src/config/config.ts';
import { findKey, parseKeySchema, renderKey } from '../../src/domain/key-schema.ts';
import { newSourceShape, shownConfig } from '../../src/domain/sources.ts';
import { newWebhookShape, refusalOf } from '../../src/domain/webhooks.ts';
import { parseDatabaseUrl } from '../../src/domain/servers/database-url.ts';
import { parseRedisUrl } from '../../src/domain/servers/redis-url.ts';
import { parseDocument, printDocument } from '../../src/domain/sync/document.ts';
import { isPublicAddress } from '../../src/network/public-address.ts';
import { jobNames, parsePayload } from '../../src/queues/payload.ts';
import { verifiedTime } from '../../src/server/guard/notification.ts';
import { assumedRole, baseUser, createScope, createScriptedAws } from '../unit/aws/scripted-aws.ts';

export interface Target<T = unknown> {
  readonly name: string;
  /** Of 1,000 inputs. */
  readonly share: number;
  readonly input: fc.Arbitrary<T>;
  /** Throws what is not a refusal, such as a broken round trip. */
  readonly try: (input: T) => unknown;
}

const target = <T>(one: Target<T>): Target => one as Target;

/** Text made of the letters that a format gives a meaning to, and any other. */
const textOf = (letters: string) =>
  fc.string({
    unit: fc.oneof(fc.constantFrom(...Array.from(letters)), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
  });

const url = fc
  .tuple(
    fc.constantFrom('postgres://', 'postgresql://', 'redis://', 'rediss://', 'http://', ''),
    textOf('abc@:/?#[]%&=,.0123456789'),
  )
  .map((parts) => parts.join(''));

const keys = textOf('AZ_./-{}secretKynviom');
const kinds = ['validate', 'sync', 'rotate'] as const;

const job = fc.record({
  kind: fc.constantFrom(...kinds),
  name: fc.oneof(fc.constantFrom(...Object.values(jobNames).flat()), fc.string()),
  data: fc.oneof(
    fc.anything(),
    fc.dictionary(
      fc.constantFrom(
        'connectionId',
        'syncId',
        'rotationId',
        'folderId',
        'requestId',
        'orgId',
        'traceparent',
        '__proto__',
      ),
      fc.oneof(fc.uuid(), fc.anything()),
    ),
  ),
});

const settings = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...variables),
    fc.string().map((name) => `KEYFERRY_${name}`),
  ),
  fc.oneof(fc.string(), url, textOf('0123456789smhd:,{}[]"'), fc.json()),
  { maxKeys: 6 },
);

const field = fc.constantFrom(
  ...['__type', 'message', 'Parameters', 'Name', 'Value', 'Version', 'Type', 'SecretList', 'ARN', 'Tags', 'NextToken'],
  ...['VersionIdsToStages', 'DeletedDate', 'ReplicationStatus', 'Region', 'InvalidParameters', 'TagList', 'Key'],
);

const answerBody = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('/a', 'a', 'AWSCURRENT', 1, 'SecureString', null, true),
    fc.anything({ maxDepth: 1 }),
    fc.array(tie('object'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(field, tie('value'), { maxKeys: 5 }),
})).object;

const answer = fc.record({
  status: fc.constantFrom(200, 200, 200, 302, 400, 403, 404, 429, 500, 503),
  text: fc
    .tuple(
      answerBody.map((body) => JSON.stringify(body, (_key, value: unknown) => plain(value))),
      fc.double({ min: 0, max: 1.5, noNaN: true }),
    )
    // Two of three are whole, the rest is cut somewhere.
    .map(([text, kept]) => text.slice(0, Math.ceil(text.length * kept))),
  type: fc.constantFrom('application/x-amz-json-1.1', 'text/html', 'text/xml'),
});

function plain(value: unknown): unknown {
  return typeof value === 'bigint' || typeof value === 'symbol' ? String(value) : value;
}

type Answer = typeof answer extends fc.Arbitrary<infer A> ? A : never;

async function askHostile({ status, text, type }: Answer): Promise<void> {
  let calls = 0;
  const aws = createScriptedAws((request, index) => {
    calls += 1;
    if (calls > 200) throw new Error('an answer is asked for without end');
    if (request.operation === 'sts.GetCallerIdentity') return baseUser;
    if (request.operation === 'sts.AssumeRole') return assumedRole(index);
    return { status, body: text, headers: { 'content-type': type } };
  });
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    requestHandler: aws.requestHandler,
    random: () => 0,
  });
  const session = access.session({
    credentials: {
      connectionId: '11111111-1111-4111-8111-111111111111',
      orgId: 'acme',
      credentialsRevision: 1,
      method: 'access-key',
      accessKeyId: 'AKIAEXAMPLE000000001',
      secretAccessKey: 'not-a-secret',
    },
    region: 'eu-west-1',
    scope: createScope(),
  });
  const parameters = openParameterStore(session);
  const secrets = openSecretsManager(session);
  const user = createAccessKeys(session, 'app');
  const questions = [
    () => parameters.inspect(['/a']),
    () => parameters.tagsOf('/a'),
    () => secrets.describe('a'),
    () => secrets.values(['a']),
    () => user.list(new Date(0)),
  ];
  const question = questions[text.length % questions.length];
  await question?.();
}

export const targets: readonly Target[] = [
  target({
    name: 'text of secrets',
    share: 250,
    input: fc.oneof(
      fc.uint8Array(),
      textOf('A="\'`#\\\n\r ${}[]:,export').map((text) => new TextEncoder().encode(text)),
    ),
    try: (bytes) => parseSecrets(decodeSecretText(bytes)),
  }),
  target({
    name: 'key schemas',
    share: 150,
    // The shape of a sync demands the placeholder once; a key with a slash belongs to another
    // folder.
    input: fc
      .tuple(keys, keys, keys)
      .map(([before, after, key]) => [`${before}{{secretKey}}${after}`, key.replaceAll('/', '')] as const),
    try: ([text, key]) => {
      const schema = parseKeySchema(text, { projectId: 'app', environment: 'prod', secretPath: '/a/b' });
      if (key !== '' && findKey(schema, renderKey(schema, key)) !== key)
        throw new Error('a key does not come back from its name');
    },
  }),
  target({ name: 'jobs', share: 150, input: job, try: ({ kind, name, data }) => parsePayload(kind, name, data) }),
  target({ name: 'settings', share: 80, input: settings, try: (environment) => loadConfig(environment) }),
  target({
    name: 'URLs of servers',
    share: 80,
    input: url,
    try: (text) => [parseDatabaseUrl(text), parseRedisUrl(text)],
  }),
  target({
    name: 'URLs of webhooks',
    share: 40,
    input: fc.oneof(textOf('https:/[]@#%.0123456789abcdefx'), fc.webUrl(), fc.ipV4Extended(), fc.ipV6()),
    try: (text) => {
      isPublicAddress(text);
      const parsed = newWebhookShape.safeParse({ name: 'w', url: text });
      if (parsed.success) refusalOf(parsed.data.url, []);
    },
  }),
  target({
    name: 'settings of sources',
    share: 10,
    input: fc.record(
      {
        kind: fc.constantFrom('http', 'infisical'),
        ...{ url: fc.webUrl(), token: textOf('abc'), everySeconds: fc.anything(), secretPath: textOf('/ab') },
        ...{ clientCertificate: textOf('-BEGIN '), clientKey: textOf('-BEGIN '), notifySecret: fc.anything() },
        ...{ projectId: textOf('ab'), environment: textOf('ab'), clientId: textOf('ab'), clientSecret: textOf('ab') },
      },
      { requiredKeys: ['kind'] },
    ),
    try: (input) => {
      const parsed = newSourceShape.safeParse(input);
      if (parsed.success) shownConfig(parsed.data);
    },
  }),
  target({
    name: 'notifications',
    share: 10,
    input: fc.tuple(fc.uint8Array(), fc.oneof(textOf('t=;0123456789abcdef'), fc.constant(`t=1;${'0'.repeat(64)}`))),
    try: ([body, signature]) => {
      if (verifiedTime({ body, signature }, 'secret-of-nobody') !== undefined)
        throw new Error('a notification passes that nobody signed');
    },
  }),
  target({
    name: 'JSON secrets',
    share: 120,
    input: fc.oneof(fc.json(), textOf('{}":,\\[]')),
    try: (text) => {
      const document = parseDocument(text);
      if (document && parseDocument(printDocument(document)) === undefined)
        throw new Error('a JSON secret cannot be read after it was written');
    },
  }),
  target({ name: 'refusals of AWS', share: 90, input: textOf('arn:aws: on resource not authorized'), try: readDenial }),
  target({ name: 'answers of AWS', share: 20, input: answer, try: askHostile }),
];
