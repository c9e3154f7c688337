/** What PutParameter checks beyond the service model: sizes, tiers, patterns, data types. */
import { AwsError } from '../aws-error.ts';
import type { Call } from '../service.ts';
import { latestVersion, type ParameterPolicy, type ParameterTier, type ParameterType } from './parameter-record.ts';

export interface PutParameterInput {
  readonly Name: string;
  readonly Value: string;
  readonly Type?: ParameterType;
  readonly Description?: string;
  readonly KeyId?: string;
  readonly Overwrite?: boolean;
  readonly AllowedPattern?: string;
  readonly Tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly Tier?: ParameterTier | 'Intelligent-Tiering';
  readonly Policies?: string;
  readonly DataType?: string;
}

/** In bytes of UTF-8, whatever the message says. */
const MAX_BYTES: Readonly<Record<ParameterTier, number>> = { Standard: 4_096, Advanced: 8_192 };
const MAX_PARAMETERS: Readonly<Record<ParameterTier, number>> = { Standard: 10_000, Advanced: 100_000 };
const DATA_TYPES = ['text', 'aws:ec2:image', 'aws:ssm:integration'];

export function checkValue(value: string, tier: ParameterTier): void {
  if (value === '') {
    throw new AwsError(
      'ValidationException',
      "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
    );
  }
  if (/\{\{.*\}\}/s.test(value)) {
    throw new AwsError(
      'ValidationException',
      'Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.',
    );
  }
  if (Buffer.byteLength(value) <= MAX_BYTES[tier]) return;
  throw new AwsError(
    'ValidationException',
    tier === 'Standard'
      ? 'Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html'
      : 'Advanced tier parameters support a maximum parameter value of 8192 characters.',
  );
}

interface TierQuestion {
  readonly input: PutParameterInput;
  readonly previous: ParameterTier | undefined;
  readonly policies: readonly ParameterPolicy[];
}

export function chooseTier(call: Call, { input, previous, policies }: TierQuestion): ParameterTier {
  const hasPolicies = policies.length > 0;
  const wanted =
    input.Tier ??
    previous ??
    call.regionState.serviceSettings.get('/ssm/parameter-store/default-parameter-tier') ??
    'Standard';
  if (wanted === 'Standard' && previous === 'Advanced') {
    throw new AwsError(
      'ValidationException',
      "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.",
    );
  }
  if (wanted === 'Intelligent-Tiering') {
    const needsAdvanced =
      hasPolicies || Buffer.byteLength(input.Value) > MAX_BYTES.Standard || isFull(call, 'Standard');
    return previous === 'Advanced' || needsAdvanced ? 'Advanced' : 'Standard';
  }
  const tier = wanted === 'Advanced' ? 'Advanced' : 'Standard';
  if (tier === 'Standard' && hasPolicies) {
    throw new AwsError(
      'ValidationException',
      'Parameter policies are supported by parameters in the advanced-parameter tier only.',
    );
  }
  if (previous !== tier && isFull(call, tier)) {
    throw new AwsError(
      'ParameterLimitExceeded',
      `You have exceeded the number of parameters for this AWS account. Delete one or more parameters and try again.`,
    );
  }
  return tier;
}

function isFull(call: Call, tier: ParameterTier): boolean {
  const { parameters } = call.regionState;
  if (parameters.size < MAX_PARAMETERS[tier]) return false;
  let count = 0;
  for (const record of parameters.values()) if (latestVersion(record).tier === tier) count += 1;
  return count >= MAX_PARAMETERS[tier];
}

export function checkPattern(value: string, allowedPattern: string | undefined): void {
  if (allowedPattern === undefined) return;
  let pattern: RegExp;
  try {
    pattern = new RegExp(`^(?:${allowedPattern})$`, 's');
  } catch {
    throw new AwsError(
      'InvalidAllowedPatternException',
      `The request doesn't meet the regular expression requirement: ${allowedPattern}`,
    );
  }
  if (!pattern.test(value)) {
    throw new AwsError(
      'ParameterPatternMismatchException',
      `Parameter value, cannot be validated against allowedPattern: ${allowedPattern}`,
    );
  }
}

export function chooseDataType(given: string | undefined): string {
  const dataType = given === undefined || given === '' ? 'text' : given;
  if (DATA_TYPES.includes(dataType)) return dataType;
  throw new AwsError(
    'ValidationException',
    `The following data type is not supported: ${dataType} (Data type names are all lowercase.)`,
  );
}
