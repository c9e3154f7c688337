/** Reading parameters: one, several, a path, their metadata. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type AccessNeed, type Call } from '../service.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { accountNeed, referenceNeeds } from './access.ts';
import { requireDecrypt } from './encryption.ts';
import { compileFilters, isUnderPath, type ParameterFilter } from './filters.ts';
import { canonicalName, findParameter, parameterArn, parseReference, shownName } from './names.ts';
import { takePage, type PageInput } from './paging.ts';
import type { ParameterRecord, ParameterVersion } from './parameter-record.ts';
import { readValue, toMetadata, toReading, type Reading } from './metadata.ts';

interface DecryptionInput {
  readonly WithDecryption?: boolean;
}

interface GetParametersInput extends DecryptionInput {
  readonly Names: readonly string[];
}

interface ByPathInput extends DecryptionInput, PageInput {
  readonly Path: string;
  readonly Recursive?: boolean;
  readonly ParameterFilters?: readonly ParameterFilter[];
}

interface DescribeInput extends PageInput {
  readonly Filters?: readonly { readonly Key: string; readonly Values: readonly string[] }[];
  readonly ParameterFilters?: readonly ParameterFilter[];
}

const BY_PATH_PAGE = 10;
const DESCRIBE_PAGE = 10;

export const GET_PARAMETER = defineOperation<{ Name: string } & DecryptionInput>({
  access: (call, input) => referenceNeeds(call, 'ssm:GetParameter', [input.Name]),
  run: (call, input) => ({ Parameter: readParameter(call, input.Name, toReading(input)) }),
});

export const GET_PARAMETERS = defineOperation<GetParametersInput>({
  access: (call, input) => referenceNeeds(call, 'ssm:GetParameters', input.Names),
  run: (call, input) => {
    const parameters: object[] = [];
    const invalid: string[] = [];
    for (const name of new Set(input.Names)) {
      try {
        parameters.push(readParameter(call, name, toReading(input)));
      } catch (error) {
        if (!(error instanceof AwsError) || !NOT_THERE.has(error.code)) throw error;
        invalid.push(name);
      }
    }
    return { Parameters: parameters, InvalidParameters: invalid };
  },
});

/** What GetParameters reports as invalid rather than fails with. */
const NOT_THERE = new Set(['ParameterNotFound', 'ParameterVersionNotFound']);

export const GET_PARAMETERS_BY_PATH = defineOperation<ByPathInput>({
  access: (call, input): readonly AccessNeed[] => [
    {
      action: 'ssm:GetParametersByPath',
      resource: parameterArn(call, input.Path),
      context: { 'ssm:recursive': [String(input.Recursive ?? false)] },
    },
  ],
  run: (call, input) => {
    if (!/^\/([\w.-]+\/?)*$/.test(input.Path)) throw new AwsError('ValidationException', PATH_TEXT);
    const filter = compileFilters('GetParametersByPath', input.ParameterFilters ?? []);
    const depth = input.Recursive === true ? 'Recursive' : 'OneLevel';
    const examined = function* (): Generator<readonly [number, object | undefined]> {
      for (const record of call.regionState.parameters.values()) {
        if (!isUnderPath(record.name, input.Path, depth)) continue;
        const version = visibleVersion(call, record);
        const isMatch = version !== undefined && filter(record);
        const item = isMatch
          ? toParameter(call, { record, name: canonicalName(record.name), version, reading: toReading(input) })
          : undefined;
        yield [record.sequence, item];
      }
    };
    const page = takePage(call, { kind: 'path', input, defaultSize: BY_PATH_PAGE }, examined());
    return { Parameters: page.items, NextToken: page.NextToken };
  },
});

const PATH_TEXT =
  'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.';

export const DESCRIBE_PARAMETERS = defineOperation<DescribeInput>({
  access: (call) => [accountNeed(call, 'ssm:DescribeParameters')],
  run: (call, input) => {
    if (input.Filters !== undefined && input.ParameterFilters !== undefined) {
      throw new AwsError('ValidationException', 'You can use either Filters or ParameterFilters in a single request.');
    }
    // The older Filters know no option: names compare from the start, the rest as a whole.
    const older = (input.Filters ?? []).map((filter) => ({
      ...filter,
      Option: filter.Key === 'Name' ? 'BeginsWith' : 'Equals',
    }));
    const filter = compileFilters('DescribeParameters', input.ParameterFilters ?? older);
    const examined = function* (): Generator<readonly [number, object | undefined]> {
      for (const record of call.regionState.parameters.values()) {
        const version = visibleVersion(call, record);
        yield [record.sequence, version && filter(record) ? toMetadata(record, version) : undefined];
      }
    };
    const page = takePage(call, { kind: 'describe', input, defaultSize: DESCRIBE_PAGE }, examined());
    return { Parameters: page.items, NextToken: page.NextToken };
  },
});

/** The version that reads see, unless the parameter's Expiration policy has ended it. */
function visibleVersion(call: Call, record: ParameterRecord): ParameterVersion | undefined {
  const version = record.visible.at(call.now);
  const isExpired = version?.policies.some((policy) => policy.expiresAt !== undefined && policy.expiresAt <= call.now);
  return isExpired === true ? undefined : version;
}

function readParameter(call: Call, text: string, reading: Reading): object {
  const { name, selector } = parseReference(call, text);
  const record = findParameter(call, name);
  const visible = record && visibleVersion(call, record);
  // AWS sends this error without a message.
  if (!visible) throw new AwsError('ParameterNotFound', '');
  const shown = shownName(call, record, name);
  if (selector === undefined) return toParameter(call, { record, name: shown, version: visible, reading });
  const version = selectVersion(record, visible, selector);
  return { ...toParameter(call, { record, name: shown, version, reading }), Selector: `:${selector}` };
}

function selectVersion(record: ParameterRecord, visible: ParameterVersion, selector: string): ParameterVersion {
  const isNumber = /^\d+$/.test(selector);
  const found = record.versions.find(
    (v) => v.version <= visible.version && (isNumber ? v.version === Number(selector) : v.labels.has(selector)),
  );
  if (found) return found;
  throw new AwsError(
    'ParameterVersionNotFound',
    isNumber
      ? `Systems Manager could not find version ${selector} of ${record.name}. Verify the version and try again.`
      : `Systems Manager could not find label ${selector} for parameter ${record.name}. Verify the label and try again.`,
  );
}

interface ParameterReading {
  readonly record: ParameterRecord;
  readonly name: string;
  readonly version: ParameterVersion;
  readonly reading: Reading;
}

function toParameter(call: Call, { record, name, version, reading }: ParameterReading): object {
  const { keyId } = version;
  if (reading === 'plain' && keyId !== undefined) requireDecrypt(call, { keyId, parameterArn: record.arn });
  return {
    Name: name,
    Type: version.type,
    Value: readValue(version, reading),
    Version: version.version,
    LastModifiedDate: toEpochSeconds(version.modifiedAt),
    ARN: record.arn,
    DataType: version.dataType,
  };
}
