/**
 * Whether an access key is used through a session that is narrowed to one use: wanted by its owner,
 * and tried by a validation. Pure.
 */
import type { PolicyDocument } from '../policy/document.ts';
import type { PolicyPlace } from '../policy/policies.ts';
import { isOfRotation, type PolicyTarget } from '../policy/target.ts';
import type { Check } from './checks.ts';
import { describeTarget } from './uses.ts';

export interface NarrowedConnection {
  readonly method: string;
  readonly narrowAccessKey: boolean;
  readonly status: string;
  readonly checks: readonly Check[];
}

/** Names the target in a check. */
const subjectOf = (target: PolicyTarget): string =>
  isOfRotation(target) ? describeTarget(target) : `${describeTarget(target)} in ${target.region}`;

/** Not before the whole job was tried under such a session, with the present credentials. */
export function isNarrowed(
  { method, narrowAccessKey, status, checks }: NarrowedConnection,
  target: PolicyTarget,
): boolean {
  if (method !== 'access-key' || !narrowAccessKey || !['valid', 'degraded'].includes(status)) return false;
  return checks.some((one) => one.name === 'narrowing' && one.subject === subjectOf(target) && one.verdict === 'pass');
}

export function narrowed(target: PolicyTarget): Check {
  const detail = `Syncs of ${describeTarget(target)} use the access key through a session that is narrowed to them.`;
  return { name: 'narrowing', subject: subjectOf(target), verdict: 'pass', detail };
}

/** `why`: the refusal of the session, or the actions that only the key itself may do. */
export function notNarrowed(
  target: PolicyTarget,
  why: { readonly refusal: string } | { readonly lost: readonly string[] },
  place: PolicyPlace,
): Check {
  const isRefused = 'refusal' in why;
  const reason = isRefused ? why.refusal : `under a narrowed session AWS denies ${why.lost.join(', ')}.`;
  return {
    name: 'narrowing',
    subject: subjectOf(target),
    verdict: 'warn',
    code: 'AWS_ACCESS_DENIED',
    detail: `Syncs of ${describeTarget(target)} use the access key as it is: ${reason}`,
    fix: isRefused
      ? { advice: 'Add this statement to a policy of the user, or use a role.', policy: federationPolicy(place) }
      : {
          advice:
            'Allow these actions in a policy of the user itself: what a policy of the resource allows it does not pass on.',
        },
  };
}

/** What the user needs for it: sessions of keyferry's names only. */
function federationPolicy({ partition, accountId }: PolicyPlace): PolicyDocument {
  const Resource = `arn:${partition}:sts::${accountId}:federated-user/keyferry-*`;
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:GetFederationToken', Resource }] };
}
