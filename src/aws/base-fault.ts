/**
 * Whatever fails while the worker's own credentials are obtained, as a fault of the installation.
 * The message says what kind of source failed and how; never the SDK's text, which may hold a
 * command line or an answer.
 */
import { isBaseFault } from '../domain/connection/base-identity.ts';
import { JobError } from '../errors.ts';
import { toAwsError } from './errors.ts';

/** Faults of other parties on the way; they are passed on unchanged. */
const passing = /^(LEASE_|DB_)/;

interface Raw {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly path?: unknown;
}

/** `trail`: the answers of the sources that had no credentials. */
export function toBaseFault(raw: unknown, trail: readonly string[] = []): JobError {
  if (raw instanceof JobError && (isBaseFault(raw) || passing.test(raw.code))) return raw;
  const error = toAwsError(raw, { operation: 'sts.AssumeRole', isMutation: false, isBase: true });
  if (error.code === 'CONNECTION_BASE_REFUSED') return error;
  const isAnswer = typeof error.context.httpStatus === 'number' && error.code !== 'AWS_UNREACHABLE';
  return new JobError(isAnswer ? 'CONNECTION_BASE_REFUSED' : 'CONNECTION_NO_BASE_IDENTITY', {
    message: isAnswer
      ? `AWS refused the worker’s own identity (${String(error.context.awsError)}). Renew its credentials or correct its role.`
      : `The worker has no AWS credentials of its own: ${conditionOf(raw as Raw, error, trail)}`,
    context: error.context,
    cause: error.cause,
  });
}

/** The meaning of the messages of the SDK's providers. */
const conditions: readonly (readonly [RegExp, string])[] = [
  [
    /SSO session .*(expired|invalid)|aws sso login|aws login/i,
    'its SSO session has expired. Run `aws sso login` for its profile.',
  ],
  [/credential_process returned|Command failed/, 'credential_process of its profile failed. Run that command by hand.'],
  [/cycle attempting to resolve/, 'its profiles refer to each other in a circle.'],
  [/multi-factor/, 'its profile asks for a one-time code. Use one without mfa_serial.'],
  [/using profile: \[(?!default\])/, 'the profile that AWS_PROFILE names is missing or incomplete.'],
  // As the SDK notes that it asked; the answer itself it keeps.
  [
    /fromHttp$/,
    'the container’s credentials endpoint refused or did not answer. Check the task role (ECS) or the pod identity association (EKS).',
  ],
  [
    /fromInstanceMetadata$/,
    'neither the two INF_APP_CONNECTION_AWS_ variables nor the SDK’s default chain gave any. An EC2 instance needs a role, and in a container also a metadata hop limit of 2.',
  ],
];

function conditionOf(raw: Raw, error: JobError, trail: readonly string[]): string {
  const { network } = error.context;
  const texts = [typeof raw.message === 'string' ? raw.message : '', ...trail];
  if (typeof raw.path === 'string') return `the file ${raw.path} cannot be read (${String(raw.code)}).`;
  if (typeof network === 'string') return `their source cannot be reached (${network}).`;
  if (error.code === 'AWS_UNREACHABLE' && error.context.httpStatus !== undefined) return error.publicMessage;
  if (raw instanceof JobError) return raw.publicMessage;
  const known = conditions.find(([pattern]) => texts.some((text) => pattern.test(text)))?.[1];
  return known ?? 'neither the two INF_APP_CONNECTION_AWS_ variables nor the SDK’s default chain gave any.';
}
