/**
 * AWS's regions by name, only to suggest one for a misspelling: a region that AWS opened since is
 * accepted as long as its name has the form of AWS's names. Pure.
 */
import { nearest } from './nearest.ts';
import { partitionOfRegion } from './partitions.ts';

const known =
  `us-east-1 us-east-2 us-west-1 us-west-2 af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3
  ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6
  ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2
  eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 cn-north-1 cn-northwest-1 us-gov-east-1
  us-gov-west-1 eusc-de-east-1`.split(/\s+/);

/** What is wrong with the name of a region; undefined when it has the form of one. */
export function regionProblem(region: string): string | undefined {
  if (partitionOfRegion(region) !== undefined) return undefined;
  const meant = nearest(region, known);
  return meant === undefined
    ? 'is not an AWS region such as eu-west-1'
    : `is not an AWS region; did you mean ${meant}?`;
}
