/** All cases of all services. */
import type { ContractCase } from './case.ts';
import { IAM_CASES } from './iam.contract.ts';
import { KMS_CASES } from './kms.contract.ts';
import { SECRETS_MANAGER_CASES } from './secrets-manager.contract.ts';
import { SECRETS_MANAGER_LIST_CASES } from './secrets-manager-lists.contract.ts';
import { SECRETS_MANAGER_REPLICA_CASES } from './secrets-manager-replicas.contract.ts';
import { SSM_CASES } from './ssm.contract.ts';
import { SSM_DESCRIBE_CASES } from './ssm-describe.contract.ts';
import { SSM_TAG_CASES } from './ssm-tags.contract.ts';
import { SSM_VERSION_CASES } from './ssm-versions.contract.ts';
import { STS_CASES } from './sts.contract.ts';
import { STS_FEDERATION_CASES } from './sts-federation.contract.ts';

export const CONTRACT_CASES: readonly ContractCase[] = [
  ...STS_CASES,
  ...STS_FEDERATION_CASES,
  ...IAM_CASES,
  ...SSM_CASES,
  ...SSM_DESCRIBE_CASES,
  ...SSM_TAG_CASES,
  ...SSM_VERSION_CASES,
  ...SECRETS_MANAGER_CASES,
  ...SECRETS_MANAGER_LIST_CASES,
  ...SECRETS_MANAGER_REPLICA_CASES,
  ...KMS_CASES,
];

/** As tables of differences name a case. */
export function caseId(contractCase: ContractCase): string {
  return `${contractCase.service}: ${contractCase.name}`;
}
