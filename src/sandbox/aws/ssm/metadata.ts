/** How listings and histories show a parameter. */
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { canonicalName } from './names.ts';
import type { ParameterRecord, ParameterVersion } from './parameter-record.ts';

/** How a SecureString is shown. */
export type Reading = 'plain' | 'encrypted';

export function toReading(input: { readonly WithDecryption?: boolean }): Reading {
  return input.WithDecryption === true ? 'plain' : 'encrypted';
}

export function readValue(version: ParameterVersion, reading: Reading): string {
  return reading === 'plain' ? version.value : (version.ciphertext ?? version.value);
}

export function toMetadata(record: ParameterRecord, version: ParameterVersion): object {
  return { ...versionFields(version), Name: canonicalName(record.name), ARN: record.arn };
}

export function toHistoryEntry(record: ParameterRecord, version: ParameterVersion, reading: Reading): object {
  return {
    ...versionFields(version),
    Name: canonicalName(record.name),
    Value: readValue(version, reading),
    Labels: [...version.labels],
  };
}

function versionFields(version: ParameterVersion): object {
  return {
    Type: version.type,
    KeyId: version.keyId,
    LastModifiedDate: toEpochSeconds(version.modifiedAt),
    LastModifiedUser: version.modifiedBy,
    Description: version.description,
    AllowedPattern: version.allowedPattern,
    Version: version.version,
    Tier: version.tier,
    Policies: version.policies.map((policy) => ({
      PolicyText: policy.text,
      PolicyType: policy.type,
      PolicyStatus: 'Pending',
    })),
    DataType: version.dataType,
  };
}
