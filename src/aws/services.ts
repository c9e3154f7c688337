/** The four services that keyferry calls: their SDK names and our names. */
export const awsServices = ['sts', 'iam', 'ssm', 'secretsmanager'] as const;
export type AwsService = (typeof awsServices)[number];

/** What follows `AWS_ENDPOINT_URL_` in the environment, and in lower case what precedes `.endpoint_url` in a profile. */
export const endpointNames: Readonly<Record<AwsService, string>> = {
  sts: 'STS',
  iam: 'IAM',
  ssm: 'SSM',
  secretsmanager: 'SECRETS_MANAGER',
};
