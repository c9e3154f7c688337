/** The four services that keyferry calls: their SDK names, our names, and which of their operations change something. */
export const awsServices = ['sts', 'iam', 'ssm', 'secretsmanager'] as const;
export type AwsService = (typeof awsServices)[number];

/** What follows `AWS_ENDPOINT_URL_` in the environment, and in lower case what precedes `.endpoint_url` in a profile. */
export const endpointNames: Readonly<Record<AwsService, string>> = {
  sts: 'STS',
  iam: 'IAM',
  ssm: 'SSM',
  secretsmanager: 'SECRETS_MANAGER',
};

/** AssumeRole creates nothing that lasts beyond its session, so it may be repeated like a read. */
const readOperation = /^(Get|List|Describe|BatchGet|Simulate|Validate)|^AssumeRole$/;

/** Whatever is not known to be a read counts as a change: it is guarded by the lease and never repeated blindly. */
export function isMutation(operationName: string): boolean {
  return !readOperation.test(operationName);
}
