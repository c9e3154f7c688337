/**
 * What AWS says that keyferry keeps: names, ids and ARNs, never free text. An endpoint, or an error
 * that quotes its request, may repeat a secret value in any of these places, so each is compared
 * with a list of known words or with what the call asked for. Anything else is dropped.
 */

/**
 * Error names of the operations that keyferry calls, of AWS in general, and of Node and the SDK.
 */
const errorNames = new Set(
  `AccessDenied AccessDeniedException AccessDeniedFault AuthFailure BandwidthLimitExceeded ConcurrentModification
  ConcurrentModificationException DecryptionFailure DeleteConflict DeleteConflictException DependencyTimeout DependencyTimeoutException DisabledException
  EC2ThrottledException EncryptionFailure EntityAlreadyExists EntityAlreadyExistsException EntityTemporarilyUnmodifiable
  EntityTemporarilyUnmodifiableException ExpiredToken ExpiredTokenException HierarchyLevelLimitExceededException
  HierarchyTypeMismatchException IDPCommunicationError IDPCommunicationErrorException IDPRejectedClaim
  IDPRejectedClaimException IncompatiblePolicyException IncorrectKeyException InvalidCiphertextException InvalidKeyUsageException IncompleteSignature IncompleteSignatureException InternalError
  InternalFailure InternalServerError InternalServerException InternalServiceError InternalServiceException InvalidAccessKeyId
  InvalidAction InvalidAllowedPatternException InvalidClientTokenId InvalidFilterKey InvalidFilterOption InvalidFilterValue
  InvalidIdentityToken InvalidIdentityTokenException InvalidInput InvalidInputException InvalidKeyId InvalidNextToken
  InvalidNextTokenException InvalidParameter InvalidParameterCombination InvalidParameterException InvalidParameterValue
  InvalidPolicyAttributeException InvalidPolicyTypeException InvalidQueryParameter InvalidRequestException InvalidResourceId
  InvalidResourceType InvalidSignatureException InvalidUserType KMSAccessDeniedException KMSDisabledException
  KMSInternalException KMSInvalidStateException KMSNotFoundException KMSOptInRequired KMSThrottlingException
  KeyUnavailableException LimitExceeded LimitExceededException MalformedInput MalformedPolicyDocument
  MalformedPolicyDocumentException MalformedQueryString MissingAction MissingAuthenticationToken
  MissingAuthenticationTokenException MissingParameter NoSuchEntity NoSuchEntityException NotAuthorized NotAuthorizedException NotFoundException
  OptInRequired PackedPolicyTooLarge PackedPolicyTooLargeException ParameterAlreadyExists ParameterLimitExceeded
  ParameterMaxVersionLimitExceeded ParameterNotFound ParameterPatternMismatchException ParameterVersionNotFound
  PoliciesLimitExceededException PreconditionNotMetException PriorRequestNotComplete ProvisionedThroughputExceededException
  RegionDisabled RegionDisabledException RequestEntityTooLarge RequestExpired RequestInTheFuture RequestLimitExceeded
  RequestThrottled RequestThrottledException RequestTimeTooSkewed RequestTimeout RequestTimeoutException ResourceExistsException
  ResourceNotFoundException SerializationException ServiceFailure ServiceFailureException ServiceQuotaExceededException
  ServiceSettingNotFound ServiceUnavailable ServiceUnavailableException SignatureDoesNotMatch SlowDown ThrottledException
  Throttling ThrottlingException TooManyRequests TooManyRequestsException TooManyTagsError TooManyUpdates
  TransactionInProgressException UnauthorizedAccess UnauthorizedOperation UnknownOperationException
  UnrecognizedClientException UnsupportedOperation UnsupportedParameterType ValidationError ValidationException
  AbortError AggregateError IncompleteAnswer CredentialsProviderError Error JobError ProviderError RangeError ReferenceError SyntaxError
  TimeoutError TokenProviderError TypeError Unknown UnknownError URIError`.split(/\s+/),
);

/** Replaces an error name that is not on the list. */
const UNLISTED_NAME = 'an error that keyferry does not know';

export function toKnownName(name: string): string {
  return errorNames.has(name) ? name : UNLISTED_NAME;
}

/** Fields of an input that name an object; all others may hold a value. */
const naming = new Set([
  'Name',
  'Names',
  'Path',
  'SecretId',
  'SecretIdList',
  'ResourceId',
  'UserName',
  'RoleArn',
  'KeyId',
  'KmsKeyId',
]);

/** What a call asked for. */
export interface Asked {
  readonly names: readonly string[];
  /** Whether the text is part of what was sent, apart from names. */
  holds(text: string): boolean;
}

export function toAsked(input: unknown): Asked {
  const fields: readonly [string, unknown][] = typeof input === 'object' && input !== null ? Object.entries(input) : [];
  const names = fields.filter(([field]) => naming.has(field)).flatMap(([, value]) => textsOf(value));
  const others = fields.filter(([field]) => !naming.has(field)).flatMap(([, value]) => textsOf(value));
  return { names, holds: (text) => others.some((one) => one.toLowerCase().includes(text.toLowerCase())) };
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** AWS's request ids are UUIDs; so are some secrets. */
export function toRequestId(given: unknown, asked: Asked): string | undefined {
  return typeof given === 'string' && uuid.test(given) && !asked.holds(given) ? given : undefined;
}

/** Actions that AWS checks besides the operation's own. */
const furtherActions = new Set([
  'kms:CreateGrant',
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'secretsmanager:BatchGetSecretValue',
  'secretsmanager:GetSecretValue',
  'secretsmanager:ListSecrets',
  'secretsmanager:PutSecretValue',
  'secretsmanager:ReplicateSecretToRegions',
  'secretsmanager:TagResource',
  'secretsmanager:UpdateSecretVersionStage',
  'ssm:AddTagsToResource',
  'ssm:DeleteParameter',
  'ssm:GetParameter',
  'ssm:GetParameters',
  'ssm:PutParameter',
  'sts:SetSourceIdentity',
  'sts:TagSession',
]);

/** `operation` as `ssm.PutParameter`. */
export function toKnownAction(action: string | undefined, operation: string): string | undefined {
  if (action === undefined) return undefined;
  return action === operation.replace('.', ':') || furtherActions.has(action) ? action : undefined;
}

const arn = /^arn:aws[a-z-]*:(ssm|secretsmanager|iam|sts|kms):[a-z0-9-]{0,32}:(?:\d{12})?:(.+)$/;

/** An ARN is kept when it names what the call named, every object, or a key by its id. */
export function toAskedResource(resource: string | undefined, asked: Asked): string | undefined {
  if (resource === undefined || resource === '*' || asked.names.includes(resource)) return resource;
  const [, service = '', tail = ''] = arn.exec(resource) ?? [];
  const isAsked = tail === '*' || namesIn(service, tail).some((name) => asked.names.map(bare).includes(bare(name)));
  const isKey = service === 'kms' && uuid.test(tail.replace(/^key\//, '')) && !asked.holds(tail.slice(4));
  return isAsked || isKey ? resource : undefined;
}

/**
 * Names that the last part of an ARN may stand for; a secret's ends in six characters of AWS's
 * choice.
 */
function namesIn(service: string, tail: string): readonly string[] {
  const name = tail.replace(/^(parameter\/?|secret:|user\/|role\/|key\/|alias\/)/, '');
  if (service === 'secretsmanager') return [name, name.replace(/-[A-Za-z0-9]{6}$/, '')];
  return service === 'iam' ? [name, name.split('/').at(-1) ?? ''] : [name, tail];
}

function bare(name: string): string {
  return name.replace(/^\/|\/$/g, '');
}
