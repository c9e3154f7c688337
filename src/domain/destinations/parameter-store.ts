/** Parameter Store: one SecureString parameter per secret, under a path. */
import { z } from 'zod';

import { quotaGroup } from '../quota-group.ts';
import { regionShape as region } from '../region-shape.ts';
import type { EntrySettings, AwsLocation } from '../sync/ledger.ts';
import { byteLength, invalid, type EntryProblem } from '../sync/rules.ts';
import type { DestinationKind, PolicyScope, ScopePlace, ServiceFacts } from './destination.ts';

/** What AWS takes per call of DescribeParameters. */
export const PARAMETERS_PER_LOOK = 50;
/** What AWS takes per call of GetParameters and DeleteParameters. */
export const PARAMETERS_PER_CALL = 10;

const MAX_DEPTH = 15;
/** Of the whole ARN. */
const MAX_ARN = 1_011;
const STANDARD_MAX_BYTES = 4_096;
const ADVANCED_MAX_BYTES = 8_192;

const config = z.strictObject({
  region,
  /** Starts and ends with a slash; dots, dashes and underscores as AWS allows. */
  path: z
    .string({ error: 'is required, such as /app/prod/' })
    .trim()
    .max(900)
    .regex(
      /^\/([A-Za-z0-9_.-]+\/)*$/,
      'must start and end with / and hold only letters, digits and . - _ between slashes',
    ),
});

export interface ParameterScope extends PolicyScope {
  readonly use: 'parameter-store';
  readonly path: string;
}

const service: ServiceFacts = {
  name: 'ssm',
  sid: 'KeyferryParameters',
  // Published rates are used to 95 %; for writes and tags the initial rate is what AWS's support
  // and users reported.
  quotas: [
    [quotaGroup('ssm.put', [3, 100, 20]), ['ssm.PutParameter']],
    // They share 40/s by default. High throughput raises the first two and leaves the third at
    // 100/s: each learns its own rate.
    [quotaGroup('ssm.get', [38, 1_000, 38]), ['ssm.GetParameter', 'ssm.GetParameters']],
    [quotaGroup('ssm.path', [38, 95, 38]), ['ssm.GetParametersByPath']],
    [quotaGroup('ssm.describe', [4, 20, 5]), ['ssm.DescribeParameters']],
    [quotaGroup('ssm.delete', [4, 20, 5]), ['ssm.DeleteParameter', 'ssm.DeleteParameters']],
    [
      quotaGroup('ssm.tags', [4, 20, 5]),
      ['ssm.AddTagsToResource', 'ssm.RemoveTagsFromResource', 'ssm.ListTagsForResource'],
    ],
  ],
  unbudgeted: [],
  accountWide: ['ssm:DescribeParameters'],
  unprobeable: ['ssm:PutParameter'],
  canRestore: false,
};

export const parameterStore = {
  id: 'parameter-store',
  destination: 'aws-parameter-store',
  noun: 'parameter',
  service,
  config,
  mapping: undefined,
  nameField: { field: 'path', option: 'prefix', flag: '--prefix' },
  policyOption: {
    name: 'path',
    flags: '--path <path>',
    description: 'path of the parameters, as /app/prod/',
    fallback: '/',
  },
  holdsAllKeys: false,
  takesEmptyValues: false,
  samplesTags: true,
  settings: { hasTier: true, hasReplicas: false, hasMetadataTags: true },
  actions: {
    required: [
      'ssm:PutParameter',
      'ssm:AddTagsToResource',
      'ssm:GetParameters',
      'ssm:DeleteParameters',
      'ssm:ListTagsForResource',
    ],
    optional: {
      'ssm:GetParametersByPath': 'would let keyferry import parameters that exist already',
      'ssm:RemoveTagsFromResource': 'would let keyferry take back tags that the sync no longer has',
      'ssm:DescribeParameters': 'would let keyferry see with one call which of 50 parameters are its own',
    },
    probed: ['ssm:GetParameters', 'ssm:DeleteParameters', 'ssm:ListTagsForResource', 'ssm:AddTagsToResource'],
    promoting: [],
  },

  namePrefix: ({ path }) => path,
  describe: ({ path }) => path,
  findNameProblem,
  findValueProblem,

  scope,
  isScope: (one) => 'path' in one,
  scopeOfPrefix: (prefix, place) => scope(prefix.slice(0, prefix.lastIndexOf('/') + 1) || '/', place),
  resources(one) {
    const path = one.path.replace(/^\/|\/$/g, '');
    // GetParametersByPath is authorized by the path itself.
    return path === '' ? ['parameter/*'] : [`parameter/${path}`, `parameter/${path}/*`];
  },
  describeScope: (one) => `${one.path} in ${one.region}`,
} as const satisfies DestinationKind<z.infer<typeof config>, ParameterScope>;

function scope(path: string, place: ScopePlace): ParameterScope {
  return { use: 'parameter-store', ...place, path };
}

function findNameProblem(name: string, place: AwsLocation): EntryProblem | undefined {
  if (!/^[A-Za-z0-9_.\-/]+$/.test(name)) {
    return invalid(
      'The parameter name may hold only letters, digits and . - _ /. Rename the secret or change the key schema.',
    );
  }
  if (name.includes('//') || name.endsWith('/'))
    return invalid('The parameter name has an empty level. Change path or key schema.');
  if (/^\/?(aws|ssm)/i.test(name))
    return invalid('Parameter names must not begin with aws or ssm. Choose another path.');
  const depth = name.split('/').length - 1;
  if (depth > MAX_DEPTH)
    return invalid(`The parameter name has ${depth} levels; AWS allows ${MAX_DEPTH}. Choose a shorter path.`);
  const arn = `arn:${place.partition}:ssm:${place.region}:${place.accountId}:parameter${name}`;
  if (arn.length <= MAX_ARN) return undefined;
  return invalid(`The parameter name is ${arn.length - MAX_ARN} characters too long. Shorten path or key.`);
}

function findValueProblem(value: string, { tier }: EntrySettings): EntryProblem | undefined {
  const bytes = byteLength(value);
  if (/\{\{[\s\S]*\}\}/.test(value))
    return invalid('Parameter values must not hold {{…}}. Use Secrets Manager for this secret.');
  if (bytes > ADVANCED_MAX_BYTES) {
    return invalid(
      `The value has ${bytes} bytes; parameters hold at most ${ADVANCED_MAX_BYTES}. Use Secrets Manager for this secret.`,
    );
  }
  if (bytes <= STANDARD_MAX_BYTES || tier !== 'standard') return undefined;
  return invalid(
    `The value has ${bytes} bytes; standard parameters hold ${STANDARD_MAX_BYTES}. Set \`tier: advanced\` or intelligent, or shorten it.`,
  );
}
