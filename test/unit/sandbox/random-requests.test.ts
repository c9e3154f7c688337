/**
 * Thousands of random requests, valid and not: every answer must be one that AWS documents for its
 * operation.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAwsSandbox, type AwsSandbox } from '../../../src/sandbox/aws/index.ts';
import { SERVICE_MODELS, type OperationModel } from '../../../src/sandbox/aws/wire/service-model.ts';
import type { Shape, Shapes } from '../../../src/sandbox/aws/wire/shapes.ts';
import { errorCode, signedRequest, type SignerCredentials } from './signed-request.ts';

const ACCOUNT = '111122223333';
const REQUESTS_PER_SERVICE = 1_000;

/** Documented for every operation: the "Common Errors" of the API references. */
const COMMON = {
  json: ['ValidationException', 'SerializationException', 'AccessDeniedException'],
  query: ['ValidationError', 'MalformedInput', 'AccessDenied'],
};

/** Values that reach what exists, so that not everything ends at a field rule. */
const PLAUSIBLE = [
  '/app/one',
  '/app/two',
  '/app/one:1',
  '/app',
  'app/one',
  'app/two',
  'bench',
  'AWSCURRENT',
  'AWSPENDING',
  '11111111-2222-4333-8444-555555555555',
  'arn:aws:iam::111122223333:role/app',
  'arn:aws:iam::111122223333:user/app',
  'alias/app',
  'alias/none',
  'eu-central-1',
  'eu-west-1',
  'ssm:PutParameter',
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:*","Resource":"*"}]}',
  '/ssm/parameter-store/high-throughput-enabled',
  'Name',
  'Parameter',
];

test.each([...SERVICE_MODELS.values()].map((service) => [service.name, service] as const))(
  '%s answers random requests as documented',
  async (_, service) => {
    const sandbox = createAwsSandbox({ timing: 'immediate' });
    const credentials = await prepare(sandbox);
    const operation = fc.constantFrom(...service.operations.values());
    const request = operation.chain((model) => arbitraryInput(model).map((input) => ({ model, input })));
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(request, async ({ model, input }) => {
        const code = errorCode(await sandbox.handle(signedRequest(model, input, { credentials })));
        outcomes.add(code ?? 'ok');
        if (code === undefined) return;
        expect([...COMMON[service.protocol], ...model.errorCodes], `${model.name} answered`).toContain(code);
      }),
      { numRuns: REQUESTS_PER_SERVICE, seed: 20261123 },
    );
    // Had everything been refused at the door, nothing would have been tested.
    expect(outcomes.size).toBeGreaterThanOrEqual(3);
    expect(outcomes).toContain('ok');
  },
  60_000,
);

async function prepare(sandbox: AwsSandbox): Promise<SignerCredentials> {
  const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
  const policy = { Version: '2012-10-17', Statement: statement };
  sandbox.createUser({ accountId: ACCOUNT, userName: 'app', policy });
  const trust = { Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:*' };
  sandbox.createRole({
    accountId: ACCOUNT,
    roleName: 'app',
    trustPolicy: { Version: '2012-10-17', Statement: trust },
    policy,
  });
  sandbox.createUser({ accountId: ACCOUNT, userName: 'bench' });
  const address = { accountId: ACCOUNT, region: 'eu-west-1' };
  sandbox.createKmsKey({ ...address, alias: 'alias/app', state: 'Disabled' });
  for (const name of ['/app/one', '/app/two']) sandbox.foreign.putParameter({ ...address, name, value: 'value' });
  for (const name of ['app/one', 'app/two']) sandbox.foreign.putSecret({ ...address, name, value: 'value' });
  sandbox.foreign.deleteSecret({ ...address, name: 'app/two' });
  return sandbox.createAccessKey({ accountId: ACCOUNT, userName: 'app' });
}

function arbitraryInput(model: OperationModel): fc.Arbitrary<unknown> {
  return model.inputShape === undefined ? fc.constant({}) : arbitraryFor(model.service.shapes, model.inputShape);
}

function arbitraryFor(shapes: Shapes, name: string): fc.Arbitrary<unknown> {
  const shape = shapes[name]!;
  switch (shape.type) {
    case 'structure':
      return arbitraryStructure(shapes, shape);
    case 'list':
      return fc.array(arbitraryFor(shapes, shape.member!), { maxLength: 4 });
    case 'integer':
    case 'long':
      return fc.oneof(fc.integer({ min: -1, max: 60 }), fc.constantFrom(900, 3_600, ...edges(shape)));
    case 'boolean':
      return fc.oneof({ weight: 20, arbitrary: fc.boolean() }, { weight: 1, arbitrary: fc.constant('true') });
    default:
      return arbitraryText(shape);
  }
}

function arbitraryStructure(shapes: Shapes, shape: Shape): fc.Arbitrary<unknown> {
  const members = Object.entries(shape.members ?? {}).map(([member, { shape: of }]) => {
    const value = arbitraryFor(shapes, of);
    const absent = shape.required?.includes(member) === true ? 1 : 40;
    const both = [
      { weight: 20, arbitrary: value },
      { weight: absent, arbitrary: fc.constant(undefined) },
    ];
    return [member, fc.oneof(...both)] as const;
  });
  return fc.record(Object.fromEntries(members));
}

function arbitraryText(shape: Shape): fc.Arbitrary<unknown> {
  const long = edges(shape)
    .filter((length) => length > 0 && length < 5_000)
    .map((length) => 'x'.repeat(length));
  return fc.oneof(
    { weight: 24, arbitrary: fc.constantFrom(...fitting(shape)) },
    { weight: 2, arbitrary: fc.constantFrom(...PLAUSIBLE) },
    { weight: 2, arbitrary: fc.string({ maxLength: 40 }) },
    { weight: 2, arbitrary: fc.constantFrom('', 'value', 'dmFsdWU=', ...long) },
    { weight: 1, arbitrary: fc.constant(7) },
  );
}

function fitting(shape: Shape): readonly string[] {
  if (shape.enum) return shape.enum;
  const pattern = new RegExp(`^(?:${shape.pattern ?? '.*'})$`, shape.pattern?.includes('\\p') === true ? 'u' : '');
  const found = PLAUSIBLE.filter((text) => text.length >= (shape.min ?? 0) && text.length <= (shape.max ?? Infinity));
  const fits = found.filter((text) => pattern.test(text));
  return fits.length > 0 ? fits : ['x'.repeat(shape.min ?? 1)];
}

function edges(shape: Shape): number[] {
  return [shape.min, shape.max].flatMap((bound) => (bound === undefined ? [] : [bound - 1, bound, bound + 1]));
}
