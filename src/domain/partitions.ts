/**
 * What is known about AWS's partitions, regions, ARNs and access key ids without asking AWS. Pure.
 */

interface Partition {
  readonly name: string;
  readonly regions: RegExp;
  /** Where a worker without a region of its own calls STS, and what IAM requests are signed for. */
  readonly defaultRegion: string;
  /** Domains under which AWS serves this partition; an endpoint elsewhere is not AWS. */
  readonly domains: readonly string[];
}

/** The words of AWS's region names; a name with another word is a misspelling. */
const direction = '(?:north|south|east|west|central|northeast|northwest|southeast|southwest)';

const table: readonly Partition[] = [
  {
    name: 'aws-us-gov',
    regions: regionsLike('us-gov'),
    defaultRegion: 'us-gov-west-1',
    domains: ['amazonaws.com', 'api.aws'],
  },
  {
    name: 'aws-cn',
    regions: regionsLike('cn'),
    defaultRegion: 'cn-north-1',
    domains: ['amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
  },
  {
    name: 'aws-eusc',
    regions: regionsLike('eusc-[a-z]{2}'),
    defaultRegion: 'eusc-de-east-1',
    domains: ['amazonaws.eu', 'api.amazonwebservices.eu'],
  },
  {
    name: 'aws-iso',
    regions: regionsLike('us-iso'),
    defaultRegion: 'us-iso-east-1',
    domains: ['c2s.ic.gov', 'api.aws.ic.gov'],
  },
  {
    name: 'aws-iso-b',
    regions: regionsLike('us-isob'),
    defaultRegion: 'us-isob-east-1',
    domains: ['sc2s.sgov.gov', 'api.aws.scloud'],
  },
  {
    name: 'aws-iso-e',
    regions: regionsLike('eu-isoe'),
    defaultRegion: 'eu-isoe-west-1',
    domains: ['cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
  },
  {
    name: 'aws-iso-f',
    regions: regionsLike('us-isof'),
    defaultRegion: 'us-isof-south-1',
    domains: ['csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
  },
  {
    name: 'aws',
    regions: regionsLike('(?:us|eu|ap|sa|ca|me|af|il|mx)'),
    defaultRegion: 'us-east-1',
    domains: ['amazonaws.com', 'api.aws'],
  },
];

export const partitionNames: readonly string[] = table.map(({ name }) => name);

function regionsLike(area: string): RegExp {
  return new RegExp(`^${area}-${direction}-[1-9]$`);
}

/** Undefined when no partition has regions of this form. */
export function partitionOfRegion(region: string): string | undefined {
  return table.find((partition) => partition.regions.test(region))?.name;
}

export function defaultRegionOf(partition: string): string {
  return table.find((one) => one.name === partition)?.defaultRegion ?? 'us-east-1';
}

/**
 * IAM is one control plane per partition and accepts signatures for that region only, whatever
 * region the client is in.
 */
export function iamRegionOf(region: string): string {
  const partition = partitionOfRegion(region);
  return partition === undefined ? region : defaultRegionOf(partition);
}

/** The host itself, or below one of AWS's own domains. */
export function isAwsHost(host: string): boolean {
  return table.some((partition) => partition.domains.some((domain) => host === domain || host.endsWith(`.${domain}`)));
}

export interface RoleArn {
  readonly partition: string;
  readonly accountId: string;
  /** With its path, as in the ARN after `role/`. */
  readonly name: string;
}

/** Undefined when it is not the ARN of an IAM role. */
export function parseRoleArn(arn: string): RoleArn | undefined {
  const match = /^arn:(aws[a-z-]*):iam::(\d{12}):role\/([\w+=,.@/-]{1,512})$/.exec(arn);
  const [, partition, accountId, name] = match ?? [];
  return partition && accountId && name ? { partition, accountId, name } : undefined;
}

/** `arn:aws-cn:…` → `aws-cn`. */
export function partitionOfArn(arn: string): string {
  return arn.split(':')[1] ?? 'aws';
}

/**
 * The partition whose regions a connection can use; undefined until a validation has found its
 * account.
 */
export function partitionOfConnection({
  principalArn,
  roleArn,
}: {
  readonly principalArn: string | null;
  readonly roleArn: string | null;
}): string | undefined {
  const arn = principalArn ?? roleArn;
  return arn === null ? undefined : partitionOfArn(arn);
}

/** What is wrong with a region of another partition; undefined where nothing is. */
export function partitionProblem(region: string, partition: string | undefined): string | undefined {
  const found = partitionOfRegion(region);
  if (found === undefined || partition === undefined || found === partition) return undefined;
  return `${region} is in partition ${found}, but the connection is in partition ${partition}: choose a region such as ${defaultRegionOf(partition)}`;
}

/** Long-lived keys begin with AKIA; ASIA is a session's and useless without its token. */
export function isLongLivedKeyId(accessKeyId: string): boolean {
  return /^AKIA[A-Z0-9]{12,124}$/.test(accessKeyId);
}
