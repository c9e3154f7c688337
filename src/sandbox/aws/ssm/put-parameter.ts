/**
 * PutParameter: create or add a version. Every accepted put makes a new version, also of an equal
 * value.
 */
import { tagContext } from '../authorize.ts';
import { AwsError } from '../aws-error.ts';
import { Lagged } from '../lagged.ts';
import { ALPHANUMERIC } from '../random.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { drawDelayMs } from '../timing.ts';
import { parameterNeed } from './access.ts';
import { DEFAULT_KEY, requireEncrypt } from './encryption.ts';
import { canonicalName, findParameter, parameterArn, parseNewName } from './names.ts';
import { checkPattern, checkValue, chooseDataType, chooseTier, type PutParameterInput } from './put-rules.ts';
import { parsePolicies } from './parameter-policies.ts';
import { latestVersion, type ParameterRecord, type ParameterVersion } from './parameter-record.ts';
import { hasTooManyTags, toTagMap } from './tags.ts';

const MAX_VERSIONS = 100;

export const PUT_PARAMETER = defineOperation<PutParameterInput>({
  access: putAccess,
  exclusive: (input) => canonicalName(input.Name.trim()),
  run: (call, input) => {
    const name = parseNewName(call, input.Name);
    if (input.Overwrite === true && input.Tags !== undefined && input.Tags.length > 0) {
      throw new AwsError(
        'ValidationException',
        "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
      );
    }
    const existing = findParameter(call, name);
    requireCreatable(call, { input, name, existing });
    const version = makeVersion(call, { input, name, existing });
    const record = existing ?? addRecord(call, input, name);
    addVersion(record, version);
    record.visible.set(version, call.now + drawDelayMs(call.timing.parameterReadMs, call.random));
    return { Version: version.version, Tier: version.tier };
  },
});

function putAccess(call: Call, input: PutParameterInput): readonly AccessNeed[] {
  const name = input.Name.trim();
  const tags = (input.Tags ?? []).map((tag) => [tag.Key, tag.Value] as const);
  const context = {
    ...tagContext('aws:requesttag', tags),
    'aws:tagkeys': tags.length === 0 ? undefined : tags.map(([key]) => key),
    'ssm:overwrite': [String(input.Overwrite ?? false)],
  };
  const put = parameterNeed(call, name, { action: 'ssm:PutParameter', context });
  return tags.length === 0 ? [put] : [put, parameterNeed(call, name, { action: 'ssm:AddTagsToResource', context })];
}

interface Put {
  readonly input: PutParameterInput;
  readonly name: string;
  readonly existing: ParameterRecord | undefined;
}

function requireCreatable(call: Call, { input, name, existing }: Put): void {
  if (existing && input.Overwrite !== true) {
    throw new AwsError(
      'ParameterAlreadyExists',
      'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
    );
  }
  if (existing) return;
  const blockedUntil = call.regionState.deletedParameters.get(canonicalName(name));
  if (blockedUntil === undefined) return;
  if (blockedUntil > call.now) {
    throw new AwsError(
      'TooManyUpdates',
      `The parameter ${name} is being deleted. Wait at least 30 seconds before you create it again.`,
    );
  }
  call.regionState.deletedParameters.delete(canonicalName(name));
}

function makeVersion(call: Call, { input, name, existing }: Put): ParameterVersion {
  const previous = existing && latestVersion(existing);
  const type = input.Type ?? previous?.type;
  if (type === undefined) {
    throw new AwsError('ValidationException', 'A parameter type is required when you create a parameter.');
  }
  if (previous && previous.type !== type && call.behaviour.parameterTypeChange === 'refused') {
    throw new AwsError(
      'HierarchyTypeMismatchException',
      "Parameter Store does not support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.",
    );
  }
  if (input.KeyId !== undefined && type !== 'SecureString') {
    throw new AwsError('ValidationException', 'KeyId is required for SecureString type parameters only.');
  }
  const policies = parsePolicies(input.Policies, call.now) ?? previous?.policies ?? [];
  const tier = chooseTier(call, { input, previous: previous?.tier, policies });
  checkValue(input.Value, tier);
  const allowedPattern = input.AllowedPattern === '' ? undefined : input.AllowedPattern;
  checkPattern(input.Value, allowedPattern);
  const arn = parameterArn(call, name);
  // Not the key of the version before: a put that names no key goes back to the account's default.
  const keyId = type === 'SecureString' ? (input.KeyId ?? DEFAULT_KEY) : undefined;
  if (keyId !== undefined) requireEncrypt(call, { keyId, parameterArn: arn }, tier);
  return {
    version: (previous?.version ?? 0) + 1,
    value: input.Value,
    ciphertext: keyId === undefined ? undefined : `sandbox-ciphertext-${call.random.text(16, ALPHANUMERIC)}`,
    type,
    tier,
    keyId,
    description: input.Description ?? previous?.description,
    allowedPattern,
    policies,
    dataType: chooseDataType(input.DataType ?? previous?.dataType),
    modifiedAt: call.now,
    modifiedBy: call.principal.arn,
    labels: new Set(),
  };
}

function addRecord(call: Call, input: PutParameterInput, name: string): ParameterRecord {
  const tags = toTagMap(input.Tags ?? []);
  if (tags.size < (input.Tags ?? []).length)
    throw new AwsError('ValidationException', 'Duplicate tag keys are not allowed.');
  if (hasTooManyTags(tags)) throw new AwsError('ValidationException', 'A parameter can have at most 50 tags.');
  const record: ParameterRecord = {
    name,
    arn: parameterArn(call, name),
    sequence: call.world.nextSequence(),
    versions: [],
    tags,
    visible: new Lagged(),
  };
  call.regionState.parameters.set(canonicalName(name), record);
  return record;
}

/**
 * Keeps the newest hundred; a label on the oldest is in the way, since labelled versions are not
 * dropped.
 */
function addVersion(record: ParameterRecord, version: ParameterVersion): void {
  const oldest = record.versions[0];
  if (record.versions.length >= MAX_VERSIONS && oldest) {
    if (oldest.labels.size > 0) {
      throw new AwsError(
        'ParameterMaxVersionLimitExceeded',
        `You attempted to create a new version of ${record.name} by calling the PutParameter API with the overwrite flag. Version ${String(oldest.version)}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.`,
      );
    }
    record.versions.shift();
  }
  record.versions.push(version);
}
