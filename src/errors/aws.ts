/** Calls to AWS; `aws/errors.ts` maps the errors of AWS to these codes. */
import { type ErrorEntry, entry } from './entry.ts';

export const awsErrors = {
  AWS_ACCESS_DENIED: entry(
    'fail',
    'AWS denied the call.',
    'The identity lacks a permission, or a policy denies it.',
    'Allow the named action in the policy of the connection’s role or user; `keyferry policy` prints complete policies.',
  ),
  AWS_KMS_DENIED: entry(
    'fail',
    'AWS denied the use of the KMS key.',
    'The identity is not a user of the key, or the key is disabled or in another region.',
    'Allow the identity in the key policy, or enable the key.',
  ),
  AWS_THROTTLED: entry(
    'snooze',
    'AWS throttled the call.',
    'The account’s request rate for this operation is used up.',
    'No action needed; keyferry waits and adapts to the rate.',
  ),
  AWS_NOT_SENT: entry(
    'snooze',
    'The call waited too long and was not sent.',
    'A key made this late after its intent was recorded could not be told from a person’s.',
    'No action needed; keyferry starts the step again.',
  ),
  AWS_LIMIT_EXCEEDED: entry(
    'fail',
    'A quota of the AWS account is used up.',
    'The account holds as many objects as AWS allows.',
    'Remove unused objects or raise the quota at AWS.',
  ),
  AWS_UNAVAILABLE: entry(
    'retry',
    'AWS returned an internal error.',
    'The call may have taken effect; keyferry checks before it repeats the call.',
    'No action needed; keyferry retries automatically.',
  ),
  AWS_UNREACHABLE: entry(
    'retry',
    'AWS could not be reached.',
    'DNS, network, proxy or TLS failed, no answer came in time, or the answer was empty or cut.',
    'Check the network of the worker. keyferry retries automatically.',
  ),
  AWS_CLOCK_SKEW: entry(
    'retry',
    'The clock of this machine differs too much from the clock of AWS.',
    'AWS refuses signatures that are older than five minutes.',
    'Set the clock (NTP) of the worker’s machine.',
  ),
  AWS_REJECTED: entry(
    'fail',
    'AWS rejected the request.',
    'A parameter or the state of the object does not permit the call.',
    'Correct what the message names.',
  ),
  AWS_NOT_FOUND: entry(
    'fail',
    'The object does not exist at AWS.',
    'It was deleted, or never existed in this account and region.',
    'Check the name, the account and the region.',
  ),
  AWS_CONFLICT: entry(
    'retry',
    'Another client is changing the same object.',
    'AWS refused a concurrent change.',
    'No action needed; keyferry retries automatically.',
  ),
} as const satisfies Record<string, ErrorEntry>;
