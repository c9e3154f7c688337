/**
 * Turns what the SDK throws into a `JobError`: ordered tables by error name first, because the
 * SDK's own predicates call an exhausted key quota throttling; then its predicates; then unknown.
 * Message, context and cause hold nothing of AWS's own text, which may repeat a value, but what
 * `foreign-text.ts` lets through.
 */
import { isThrottlingError, isTransientError } from '@smithy/core/retry';

import { defined } from '../domain/defined.ts';
import { tlsProblem } from '../domain/servers/tls-problems.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import { INCOMPLETE_ANSWER } from './answers.ts';
import { type Denial, readDenial, mentionsKms } from './denial.ts';
import { type Asked, toAsked, toAskedResource, toKnownAction, toKnownName, toRequestId } from './foreign-text.ts';

export interface FailedCall {
  /** As `ssm.PutParameter`. */
  readonly operation: string;
  readonly isMutation: boolean;
  /**
   * Signed by the worker's own identity: a bad key is the operator's problem, not the connection's.
   */
  readonly isBase?: boolean;
  /**
   * Signed by a session that STS issued: a service that does not know it is in a region that the
   * account has not enabled.
   */
  readonly isSession?: boolean;
  /** What was sent, so that an echo of it is not kept as AWS's own text. */
  readonly asked?: Asked;
}

const nothingAsked = toAsked({});

interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly cause?: unknown;
  /** The field that an incomplete answer lacks. */
  readonly missing?: string | undefined;
  /** It went through the proxy of HTTPS_PROXY. */
  readonly isProxied?: boolean;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly clockSkewCorrected?: boolean;
  };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

interface Rule {
  readonly code: ErrorCode;
  readonly names: RegExp;
  readonly when?: (error: SdkError, call: FailedCall) => boolean;
}

const isSkew = (error: SdkError) => /expired|not yet current|in the future|clock|skew/i.test(error.message);
const isAssumeRole = (_error: SdkError, call: FailedCall) => call.operation === 'sts.AssumeRole';
/** The one compare-and-swap of Secrets Manager: the label is not at the version that was named. */
const hasMoved = ({ message }: SdkError, { operation }: FailedCall) =>
  operation === 'secretsmanager.UpdateSecretVersionStage' &&
  /RemoveFromVersionId|stag(e|ing)|AWSCURRENT/i.test(message);
const isBase = (_error: SdkError, call: FailedCall) => call.isBase === true;
const unknownSession =
  /^(InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidSignatureException)$/;
const regionOff = /^(RegionDisabled(Exception)?|OptInRequired)$/;
const denied = /^(AccessDenied(Exception)?|UnauthorizedOperation|NotAuthorized|UnauthorizedAccess|AccessDeniedFault)$/;
const authentication =
  /^(InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignatureException|IncompleteSignature(Exception)?|ExpiredToken(Exception)?|RequestExpired|NotAuthorizedException)$/;

/** The first match wins. */
const rules: readonly Rule[] = [
  { code: 'AWS_UNREACHABLE', names: new RegExp(`^${INCOMPLETE_ANSWER}$`) },
  { code: 'AWS_CLOCK_SKEW', names: /^(RequestExpired|RequestTimeTooSkewed|RequestInTheFuture)$/ },
  { code: 'AWS_CLOCK_SKEW', names: /^(SignatureDoesNotMatch|InvalidSignatureException)$/, when: isSkew },
  { code: 'CONNECTION_BASE_REFUSED', names: authentication, when: isBase },
  { code: 'CONNECTION_BASE_REFUSED', names: regionOff, when: isBase },
  { code: 'CONNECTION_TOKEN_EXPIRED', names: /^ExpiredToken(Exception)?$/ },
  { code: 'CONNECTION_REGION_DISABLED', names: regionOff },
  { code: 'CONNECTION_REGION_DISABLED', names: unknownSession, when: (_error, call) => call.isSession === true },
  {
    code: 'CONNECTION_KEY_UNKNOWN',
    names: /^(InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|NotAuthorizedException)$/,
  },
  {
    code: 'CONNECTION_SECRET_WRONG',
    names: /^(SignatureDoesNotMatch|InvalidSignatureException|IncompleteSignature(Exception)?)$/,
  },
  { code: 'AWS_KMS_DENIED', names: denied, when: (error) => mentionsKms(error.message) },
  { code: 'CONNECTION_ACCESS_DENIED', names: denied, when: isAssumeRole },
  { code: 'AWS_ACCESS_DENIED', names: denied },
  {
    code: 'AWS_KMS_DENIED',
    names: /^(EncryptionFailure|DecryptionFailure|InvalidKeyId|KMS\w*|DisabledException|KeyUnavailableException)$/,
    when: (error) => (error.$metadata?.httpStatusCode ?? 400) < 500,
  },
  // Before the SDK's throttling predicate, which is true for "already two access keys".
  {
    code: 'AWS_LIMIT_EXCEEDED',
    names:
      /^(LimitExceeded(Exception)?|ParameterLimitExceeded|ParameterMaxVersionLimitExceeded|TooManyTagsError|HierarchyLevelLimitExceededException)$/,
  },
  {
    code: 'AWS_CONFLICT',
    names:
      /^(TooManyUpdates|ConcurrentModification(Exception)?|EntityTemporarilyUnmodifiable(Exception)?|PreconditionNotMetException)$/,
  },
  { code: 'AWS_CONFLICT', names: /^InvalidParameterException$/, when: hasMoved },
  {
    code: 'AWS_NOT_FOUND',
    names:
      /^(ResourceNotFoundException|NoSuchEntity(Exception)?|ParameterNotFound|ParameterVersionNotFound|InvalidResourceId)$/,
  },
  {
    code: 'AWS_REJECTED',
    names:
      /^(Validation\w*|Invalid\w*|Malformed\w*|PackedPolicyTooLarge\w*|ResourceExistsException|ParameterAlreadyExists|EntityAlreadyExists\w*|DeleteConflict\w*|HierarchyTypeMismatchException|UnsupportedParameterType|PoliciesLimitExceededException|Unsupported\w*|MissingParameter|MissingAction|InvalidAction|ServiceSettingNotFound)$/,
  },
];

/** The request never left this machine, or not to AWS: it cannot have had an effect. */
const unsent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|EMFILE|ENFILE|EPROXY_4\d\d)$/;
/** The request may have arrived. */
const interrupted =
  /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNABORTED|ENETRESET|ENOTCONN|ERR_STREAM_PREMATURE_CLOSE|HPE_\w+|EPROXY_5\d\d)$/;
const tls = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|EPROTO)[A-Z0-9_]{0,60}$/;

/** Whatever a client or a credential provider threw. */
export function toAwsError(raw: unknown, call: FailedCall): JobError {
  if (raw instanceof JobError) return raw;
  const error = toSdkError(raw);
  const rule = rules.find((one) => one.names.test(error.name) && (one.when?.(error, call) ?? true));
  return build(rule?.code ?? byPredicate(error), error, call);
}

/**
 * The error as it may be shown and logged: its name if that is known, and where it was thrown; its
 * text may repeat a value.
 */
function withoutText(error: SdkError): Error {
  const frames = error instanceof Error ? stackFrames(error) : [];
  return Object.assign(new Error(), {
    name: toKnownName(error.name),
    stack: [toKnownName(error.name), ...frames].join('\n'),
  });
}

/** What follows the message, which may span lines of any form. */
function stackFrames({ stack = '', message }: Error): readonly string[] {
  const at = stack.indexOf(message);
  const after = at === -1 ? '' : stack.slice(at + message.length);
  return after.split('\n').filter((line) => line.startsWith('    at '));
}

function toSdkError(raw: unknown): SdkError {
  return raw instanceof Error ? raw : { name: 'Error', message: String(raw) };
}

/**
 * An answer that is not from AWS: unreadable, or without error name and request id. It came from a
 * proxy, a firewall or a captive portal.
 */
function isOfOthers({ name, $metadata = {} }: SdkError): boolean {
  if (name === 'SyntaxError' || ($metadata.httpStatusCode ?? 500) < 400) return true;
  const isNameless = /^(Unknown|UnknownError|TypeError|Error)$/.test(name);
  return isNameless && $metadata.httpStatusCode !== undefined && $metadata.requestId === undefined;
}

function byPredicate(error: SdkError): ErrorCode {
  const status = error.$metadata?.httpStatusCode;
  if (error.name === 'CredentialsProviderError') return 'CONNECTION_NO_BASE_IDENTITY';
  if (isThrottlingError(error as never)) return 'AWS_THROTTLED';
  if (status !== undefined && status >= 500) return 'AWS_UNAVAILABLE';
  if (networkCode(error) !== undefined || isTransientError(error as never)) return 'AWS_UNREACHABLE';
  if (isOfOthers(error)) return 'AWS_UNREACHABLE';
  return status !== undefined && status >= 400 ? 'AWS_REJECTED' : 'BUG_UNEXPECTED';
}

/**
 * Node's code. An answer of AWS may carry a field of that name, which says nothing about the
 * network.
 */
function networkCode(error: SdkError): string | undefined {
  if ('$fault' in error) return undefined;
  const { code } = error;
  if (typeof code === 'string' && [unsent, tls, interrupted].some((pattern) => pattern.test(code))) return code;
  return error.cause instanceof Error ? networkCode(error.cause) : undefined;
}

function build(code: ErrorCode, raw: SdkError, call: FailedCall): JobError {
  const error = Object.assign(Object.create(raw) as SdkError, {
    name: toKnownName(raw.name),
    message: '',
    // An answer may carry a field of that name, too.
    missing: '$fault' in raw ? undefined : raw.missing,
  });
  const denial = code === 'AWS_ACCESS_DENIED' || code === 'AWS_KMS_DENIED' ? knownDenial(raw, call) : {};
  const requestId = toRequestId(error.$metadata?.requestId, call.asked ?? nothingAsked);
  const network = networkCode(raw);
  const isUnclear = code === 'AWS_UNAVAILABLE' || code === 'AWS_UNREACHABLE' || code === 'BUG_UNEXPECTED';
  const retryAfterMs = Number(error.$response?.headers?.['x-amz-retry-after'] ?? Number.NaN);
  return new JobError(code, {
    message: `${sentence(code, { error, call, denial, network })}${requestId === undefined ? '' : ` AWS request id: ${requestId}.`}`,
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs } : {}),
    context: {
      operation: call.operation,
      awsError: error.name,
      ...defined({ requestId, httpStatus: error.$metadata?.httpStatusCode, network }),
      ...denial,
      ...(call.isMutation && isUnclear && !(network !== undefined && (unsent.test(network) || tls.test(network)))
        ? { isAmbiguous: true }
        : {}),
      ...(error.$metadata?.clockSkewCorrected ? { clockSkewCorrected: true } : {}),
    },
    cause: withoutText(raw),
  });
}

function knownDenial({ message }: SdkError, { operation, asked = nothingAsked }: FailedCall): Denial {
  const { deniedAction, deniedResource, deniedBy } = readDenial(message);
  const action = toKnownAction(deniedAction, operation);
  const resource = toAskedResource(deniedResource, asked);
  return {
    ...defined({ deniedAction: action, deniedResource: resource, deniedBy }),
  };
}

interface Facts {
  readonly error: SdkError;
  readonly call: FailedCall;
  readonly denial: Denial;
  readonly network: string | undefined;
}

function sentence(code: ErrorCode, { error, call, denial, network }: Facts): string {
  const { operation } = call;
  switch (code) {
    case 'AWS_ACCESS_DENIED':
    case 'AWS_KMS_DENIED':
      return deniedSentence(code, operation, denial);
    case 'CONNECTION_ACCESS_DENIED':
      // Clients that wait for a new role to propagate retry on the words "cannot be assumed", and
      // on "access denied" below.
      return 'The role cannot be assumed: AWS refused sts:AssumeRole. Compare the role and its external ID with `keyferry policy trust`, the base identity with `keyferry policy base-user`.';
    case 'CONNECTION_KEY_UNKNOWN':
      return `Access denied: AWS does not know the access key, or it is inactive (${error.name}). A new key is known within seconds.`;
    case 'CONNECTION_BASE_REFUSED':
      return `AWS refused the worker’s own identity (${error.name}). Renew its credentials.`;
    case 'CONNECTION_REGION_DISABLED':
      return `AWS does not accept the connection in this region for ${operation} (${error.name}). Enable the region in the account, or choose another.`;
    case 'AWS_THROTTLED':
      return `AWS throttled ${operation}.`;
    case 'AWS_UNREACHABLE':
      return unreachableSentence(operation, error, network);
    case 'AWS_UNAVAILABLE':
      return `AWS answered ${operation} with status ${String(error.$metadata?.httpStatusCode ?? '')} (${error.name}).`;
    case 'AWS_CLOCK_SKEW':
      return `AWS refused the signature of ${operation}: the clock of the worker’s machine is wrong.`;
    case 'BUG_UNEXPECTED':
      return `${operation} failed in an unexpected way (${error.name}).`;
    default:
      return `${operation} failed: ${error.name}.`;
  }
}

function deniedSentence(code: ErrorCode, operation: string, denial: Denial): string {
  const what = denial.deniedAction ?? operation;
  const where = denial.deniedResource === undefined ? '' : ` on ${denial.deniedResource}`;
  if (denial.deniedBy === 'session-policy')
    return `${operation}: keyferry’s own session policy does not allow ${what}${where}.`;
  const why = denial.deniedBy === 'explicit-deny' ? ' (a policy denies it explicitly)' : '';
  if (code === 'AWS_KMS_DENIED' && denial.deniedAction === undefined)
    return `${operation}: the KMS key cannot be used or is disabled.`;
  return `AWS denied ${what}${where}${why}.`;
}

function unreachableSentence(operation: string, error: SdkError, network: string | undefined): string {
  const { isProxied, missing } = error;
  if (error.name === INCOMPLETE_ANSWER)
    return `The answer to ${operation} is incomplete${missing === undefined ? '' : ` (no ${missing})`}: check for a proxy or portal in between.`;
  if (network?.startsWith('EPROXY_407') === true)
    return `The proxy asks for a login before ${operation} (407): add user and password to HTTPS_PROXY.`;
  if (network !== undefined && tls.test(network))
    return `TLS failed for ${operation} (${network}): ${tlsProblem(network) ?? 'the endpoint’s certificate is not trusted'}; see AWS_CA_BUNDLE${isProxied ? ' and HTTPS_PROXY' : ''}.`;
  if (isProxied)
    return `AWS could not be reached through the proxy for ${operation} (${network ?? error.name}): check HTTPS_PROXY and NO_PROXY.`;
  if (network === 'ENOTFOUND' || network?.startsWith('EAI_') === true)
    return `The AWS endpoint of ${operation} has no address (${network}): check region and DNS.`;
  if (network === undefined && isOfOthers(error))
    return `The answer to ${operation} does not come from AWS: a proxy or portal is in between.`;
  return `AWS could not be reached for ${operation} (${network ?? error.name}).`;
}
