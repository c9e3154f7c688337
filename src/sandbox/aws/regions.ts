/** Partitions and regions, as far as signatures, ARNs and opt-in rules need them. */
export type PartitionName = 'aws' | 'aws-cn' | 'aws-us-gov' | 'aws-eusc';

export interface Partition {
  readonly name: PartitionName;
  /** The one region that signs IAM requests. */
  readonly iamRegion: string;
  readonly regions: readonly string[];
}

const DEFAULT_REGIONS = [
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
  'ap-south-1',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-northeast-3',
  'ap-southeast-1',
  'ap-southeast-2',
  'ca-central-1',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'eu-north-1',
  'sa-east-1',
];

/** Regions that an account must switch on before they accept its credentials. */
const OPT_IN_REGIONS = [
  'af-south-1',
  'ap-east-1',
  'ap-east-2',
  'ap-south-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ap-southeast-5',
  'ap-southeast-6',
  'ap-southeast-7',
  'ca-west-1',
  'eu-central-2',
  'eu-south-1',
  'eu-south-2',
  'il-central-1',
  'me-central-1',
  'me-south-1',
  'mx-central-1',
];

const PARTITIONS: readonly Partition[] = [
  { name: 'aws', iamRegion: 'us-east-1', regions: [...DEFAULT_REGIONS, ...OPT_IN_REGIONS] },
  { name: 'aws-cn', iamRegion: 'cn-north-1', regions: ['cn-north-1', 'cn-northwest-1'] },
  { name: 'aws-us-gov', iamRegion: 'us-gov-west-1', regions: ['us-gov-west-1', 'us-gov-east-1'] },
  { name: 'aws-eusc', iamRegion: 'eusc-de-east-1', regions: ['eusc-de-east-1'] },
];

const PARTITION_BY_REGION = new Map(PARTITIONS.flatMap((p) => p.regions.map((region) => [region, p] as const)));
const OPT_IN = new Set(OPT_IN_REGIONS);

export function findPartition(region: string): Partition | undefined {
  return PARTITION_BY_REGION.get(region);
}

export function isOptInRegion(region: string): boolean {
  return OPT_IN.has(region);
}
