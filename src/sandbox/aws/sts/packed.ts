/**
 * The size of session policies and tags. AWS packs them in a form it does not publish; the sandbox
 * allows this many deflated bytes.
 */
import { AwsError } from '../aws-error.ts';

const PACKED_LIMIT_BYTES = 1_024;

export function toPackedPercent(bytes: number): number {
  const percent = Math.ceil((100 * bytes) / PACKED_LIMIT_BYTES);
  if (percent <= 100) return percent;
  throw new AwsError(
    'PackedPolicyTooLarge',
    `Packed policy consumes ${String(percent)}% of allotted space, please use smaller policy.`,
  );
}
