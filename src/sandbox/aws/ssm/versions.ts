/** Histories and labels. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type Call } from '../service.ts';
import { parameterNeed, referenceNeeds } from './access.ts';
import { requireDecrypt } from './encryption.ts';
import { toHistoryEntry, toReading } from './metadata.ts';
import { canonicalName, findParameter, parseReference } from './names.ts';
import { takePage, type PageInput } from './paging.ts';
import { latestVersion, type ParameterRecord, type ParameterVersion } from './parameter-record.ts';

const HISTORY_PAGE = 50;
const LABELS_PER_VERSION = 10;

interface HistoryInput extends PageInput {
  readonly Name: string;
  readonly WithDecryption?: boolean;
}

interface LabelInput {
  readonly Name: string;
  readonly ParameterVersion?: number;
  readonly Labels: readonly string[];
}

export const GET_PARAMETER_HISTORY = defineOperation<HistoryInput>({
  access: (call, input) => referenceNeeds(call, 'ssm:GetParameterHistory', [input.Name]),
  run: (call, input) => {
    const record = getParameter(call, parseReference(call, input.Name).name);
    const reading = toReading(input);
    const entries = record.versions.map((version) => {
      if (reading === 'plain' && version.keyId !== undefined)
        requireDecrypt(call, { keyId: version.keyId, parameterArn: record.arn });
      return [version.version, toHistoryEntry(record, version, reading)] as const;
    });
    const page = takePage(call, { kind: 'history', input, defaultSize: HISTORY_PAGE }, entries);
    return { Parameters: page.items, NextToken: page.NextToken };
  },
});

export const LABEL_PARAMETER_VERSION = defineOperation<LabelInput>({
  access: (call, input) => [parameterNeed(call, input.Name, { action: 'ssm:LabelParameterVersion' })],
  exclusive: (input) => canonicalName(input.Name),
  run: (call, input) => {
    const record = getParameter(call, input.Name);
    const version = getVersion(record, input.ParameterVersion);
    const invalid = input.Labels.filter((label) => !isValidLabel(label));
    const wanted = input.Labels.filter(isValidLabel);
    if (new Set([...version.labels, ...wanted]).size > LABELS_PER_VERSION) {
      throw new AwsError(
        'ParameterVersionLabelLimitExceeded',
        'An error occurred (ParameterVersionLabelLimitExceeded): A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.',
      );
    }
    // A label sits on one version at a time.
    for (const label of wanted) {
      for (const other of record.versions) other.labels.delete(label);
      version.labels.add(label);
    }
    return { InvalidLabels: invalid, ParameterVersion: version.version };
  },
});

export const UNLABEL_PARAMETER_VERSION = defineOperation<LabelInput>({
  access: (call, input) => [parameterNeed(call, input.Name, { action: 'ssm:UnlabelParameterVersion' })],
  exclusive: (input) => canonicalName(input.Name),
  run: (call, input) => {
    const version = getVersion(getParameter(call, input.Name), input.ParameterVersion);
    const removed = input.Labels.filter((label) => version.labels.delete(label));
    return { RemovedLabels: removed, InvalidLabels: input.Labels.filter((label) => !removed.includes(label)) };
  },
});

function getParameter(call: Call, name: string): ParameterRecord {
  const record = findParameter(call, name);
  if (!record) throw new AwsError('ParameterNotFound', '');
  return record;
}

function getVersion(record: ParameterRecord, number: number | undefined): ParameterVersion {
  if (number === undefined) return latestVersion(record);
  const version = record.versions.find((v) => v.version === number);
  if (version) return version;
  throw new AwsError(
    'ParameterVersionNotFound',
    `Systems Manager could not find version ${String(number)} of ${record.name}. Verify the version and try again.`,
  );
}

function isValidLabel(label: string): boolean {
  return /^[a-zA-Z_.-][\w.-]*$/.test(label) && !/^(aws|ssm)/i.test(label);
}
