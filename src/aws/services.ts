/** The services that keyferry calls: their SDK names and the names used here. */
export const awsServices = ['sts', 'iam', 'ssm', 'secretsmanager', 'kms'] as const;
export type AwsService = (typeof awsServices)[number];
/** KMS is asked by the worker's own identity only, and its client is loaded only where it is. */
export type SessionService = Exclude<AwsService, 'kms'>;

/**
 * What follows `AWS_ENDPOINT_URL_` in the environment, and in lower case what precedes
 * `.endpoint_url` in a profile.
 */
export const endpointNames: Readonly<Record<AwsService, string>> = {
  sts: 'STS',
  iam: 'IAM',
  ssm: 'SSM',
  secretsmanager: 'SECRETS_MANAGER',
  kms: 'KMS',
};
