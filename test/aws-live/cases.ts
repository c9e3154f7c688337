/**
 * The contract cases that the live lane runs: all but those that cannot keep to its prefix, and
 * those of KMS, whose keys cost money and stay for a week.
 */
import type { ContractCase } from '../contract/case.ts';
import { CONTRACT_CASES, caseId } from '../contract/suites.ts';

const badName = 'sends a name that AWS must refuse; were it accepted, it would lie outside of the prefix';
const noName = 'names something that does not exist, without the prefix';
const path = 'reads the IAM path, which is the run’s own here';

export const LEFT_OUT: Readonly<Record<string, string>> = {
  'iam: GetUser tells ARN, path and id': path,
  'iam: a policy on ${aws:username} covers the own user only': path,
  'ssm: names starting with aws or ssm are reserved': badName,
  'ssm: a name with a slash must start with one': badName,
  'ssm: characters outside letters, digits and .-_ are refused': badName,
  'ssm: a name counts with its ARN towards 1,011 characters': badName,
  'ssm: a parameter that does not exist is ParameterNotFound': noName,
  'ssm: DeleteParameters reports unknown names as invalid': noName,
  'ssm: DeleteParameters takes ten names, not eleven': noName,
  'ssm: tags of a parameter that does not exist are InvalidResourceId': noName,
  'secretsmanager: a policy on a prefix covers that prefix only': 'makes a secret under a prefix of its own',
};

export const LIVE_CASES: readonly ContractCase[] = CONTRACT_CASES.filter(
  (one) => one.service !== 'kms' && !(caseId(one) in LEFT_OUT),
);
