/**
 * Where moto differs from AWS's documentation, case by case. A case that starts or stops to differ
 * fails the run, so the table stays true. Sources: the API references of the services, which the
 * official service models carry as text; the IAM, Systems Manager and Secrets Manager user guides.
 */
import { each, type KnownDifference } from './known-difference.ts';
import { MOTO_KMS_DIFFERENCES } from './moto-kms.ts';
import { MOTO_SECRETS_MANAGER_DIFFERENCES } from './moto-secrets-manager.ts';

const authentication = each(
  {
    moto: 'accepts every request, whatever key, secret or token signed it',
    documented:
      'requests are authenticated by their signature; unknown, inactive and deleted keys, wrong secrets and foreign session tokens are refused (IAM user guide, "Signature Version 4"; Common Errors of each API reference)',
  },
  [
    'sts: an unknown access key is InvalidClientTokenId',
    'sts: a wrong secret is SignatureDoesNotMatch',
    'sts: an inactive key is InvalidClientTokenId',
    'sts: a deleted key is InvalidClientTokenId',
    'sts: a session token that is not the own one is refused',
    'ssm: an unknown access key is UnrecognizedClientException',
    'ssm: an inactive access key is UnrecognizedClientException',
    'ssm: a wrong secret is InvalidSignatureException',
    'secretsmanager: an unknown access key is UnrecognizedClientException',
    'iam: a request signed for another region than us-east-1 is SignatureDoesNotMatch',
  ],
);

const authorization = each(
  {
    moto: 'evaluates no policy unless started in its auth mode',
    documented: 'what no policy allows is denied, an explicit deny wins (IAM user guide, "Policy evaluation logic")',
  },
  [
    'sts: a role may do what its policy allows and nothing else',
    'sts: a session policy narrows what the role allows',
    'iam: a user without permission is AccessDenied',
    'iam: a policy on ${aws:username} covers the own user only',
    'ssm: reading does not allow writing',
    'ssm: a policy on a path covers that path only',
    'ssm: an explicit deny wins',
    'ssm: creating with tags needs ssm:AddTagsToResource',
    'secretsmanager: a policy on a prefix covers that prefix only',
    'secretsmanager: creating with tags needs secretsmanager:TagResource',
  ],
);

const trust = each(
  {
    moto: 'gives credentials for any role ARN, also without the role, the trust or the external ID',
    documented:
      'the trust policy must allow the caller, under its conditions; everything else is AccessDenied (IAM user guide, "The confused deputy problem"; STS API reference, AssumeRole)',
  },
  [
    'sts: a wrong external ID is AccessDenied',
    'sts: a missing external ID is AccessDenied',
    'sts: a role that does not exist is AccessDenied',
    'sts: a caller without sts:AssumeRole is AccessDenied',
    'sts: a principal that the trust policy does not name is AccessDenied',
    'sts: a trust policy for everybody needs no further permission inside the account',
  ],
);

const assumeRoleInput = each(
  {
    moto: 'checks of all fields only that the session name has at most 64 characters',
    documented:
      'RoleArn 20-2048 and an ARN; RoleSessionName 2-64 of [\\w+=,.@-]; ExternalId 2-1224 of [\\w+=,.@:/-]; DurationSeconds from 900 to what the role allows, an hour when chaining; session policies of 2,048 characters, in JSON (STS API reference, AssumeRole)',
  },
  [
    'sts: an empty external ID is a validation error',
    'sts: an external ID with a space is a validation error',
    'sts: a session name of one character is a validation error',
    'sts: a session name with a slash is a validation error',
    'sts: fewer than 900 seconds are a validation error',
    'sts: more seconds than the role allows are a validation error',
    'sts: role chaining is limited to an hour',
    'sts: a malformed session policy is MalformedPolicyDocument',
    'sts: a session policy whose resource is no ARN is MalformedPolicyDocument',
    'sts: a session policy of more than 2,048 characters is refused',
    'sts: a role ARN that is none is a validation error',
  ],
);

const federation = each(
  {
    moto: 'gives one made-up key (AKIA…, moto’s own user) to every caller, whatever its credentials and policies; no limit holds for what it does',
    documented:
      'a long-term key of a user that may call sts:GetFederationToken gets a session (ASIA…) of the federated user; user and session policy must both allow, nothing of IAM and of STS only GetCallerIdentity is open to it (STS API reference, GetFederationToken; IAM user guide, "Compare AWS STS credentials")',
  },
  [
    'sts: GetFederationToken gives a federated user, for twelve hours unless asked otherwise',
    'sts: a federated session may do what user and session policy both allow',
    'sts: a federated session without a policy may do nothing',
    'sts: a federated session may call nothing of IAM',
    'sts: a federated session may call of STS only GetCallerIdentity',
    'sts: a session of a role may not call GetFederationToken',
    'sts: a user without sts:GetFederationToken is AccessDenied',
  ],
);

const federationInput = each(
  {
    moto: 'does not check the fields of GetFederationToken',
    documented:
      'Name 2-32 of [\\w+=,.@-]; DurationSeconds 900-129,600; a policy of at most 2,048 characters, in JSON (STS API reference, GetFederationToken)',
  },
  [
    'sts: a name of a federated user has 2 to 32 characters, and none that ARNs use',
    'sts: a federated session lasts 900 to 129,600 seconds',
    'sts: a policy for a federated session has at most 2,048 characters, and must be one',
  ],
);

const userIds = each(
  {
    moto: 'makes user ids of 20 random small letters and digits',
    documented: 'user ids start with AIDA (IAM user guide, "IAM identifiers: unique identifiers")',
  },
  ['sts: GetCallerIdentity tells account, ARN and user id of a user', 'iam: GetUser tells ARN, path and id'],
);

const iamLists = each(
  {
    moto: 'lists all keys at once, and leaves IsTruncated out',
    documented: 'MaxItems 1-1000; IsTruncated tells whether there are more (IAM API reference, ListAccessKeys)',
  },
  ['iam: ListAccessKeys shows id, status and date, not the secret', 'iam: ListAccessKeys goes by pages'],
);

const iamInput = each(
  {
    moto: 'does not check fields: a bad name or id is one that is not found, any status is set',
    documented:
      'UserName [\\w+=,.@-]+; AccessKeyId 16-128 of [\\w]; Status Active, Inactive or Expired (IAM API reference, UpdateAccessKey)',
  },
  [
    'iam: a status that does not exist is a validation error',
    'iam: a user name with a slash is a validation error',
    'iam: an access key id of 15 characters is a validation error',
  ],
);

const unimplemented = each(
  {
    moto: 'HTTP 500 with an HTML page: the operation is not implemented, or fails on this input',
    documented: 'the operation exists, with the modelled errors (API references of the services)',
  },
  [
    'iam: SimulatePrincipalPolicy decides by action and resource',
    'iam: SimulatePrincipalPolicy does not take a session',
    'ssm: GetServiceSetting tells the throughput setting',
    'ssm: a token that AWS did not give is InvalidNextToken',
    'secretsmanager: ValidateResourcePolicy tells a policy for everybody',
    'secretsmanager: a token that AWS did not give is InvalidNextTokenException',
  ],
);

const parameterSizes = each(
  {
    moto: 'knows no sizes, and echoes the tier that it was given',
    documented:
      '4 KB in the standard tier, 8 KB in the advanced tier; Intelligent-Tiering answers the tier that it chose; no way back from advanced to standard (Systems Manager user guide, "Managing parameter tiers")',
  },
  [
    'ssm: 4,096 bytes fit the standard tier, 4,097 do not',
    'ssm: sizes are bytes, not characters',
    'ssm: 8,192 bytes fit the advanced tier, 8,193 do not',
    'ssm: intelligent tiering chooses by size',
    'ssm: an advanced parameter cannot become a standard one',
  ],
);

const parameterNames = each(
  {
    moto: 'takes any name that does not start with aws or ssm',
    documented:
      'letters, digits and .-_ between slashes; fully qualified when it has levels; fifteen levels; 1,011 characters with the ARN (SSM API reference, PutParameter: Name)',
  },
  [
    'ssm: a name with a slash must start with one',
    'ssm: characters outside letters, digits and .-_ are refused',
    'ssm: fifteen levels are allowed, sixteen are not',
    'ssm: a name counts with its ARN towards 1,011 characters',
    'ssm: a path that does not start with a slash is refused',
    'ssm: a name that no parameter can have is a ValidationException',
  ],
);

const parameterInput = each(
  {
    moto: 'does not check this field',
    documented:
      'no {{}} in values; AllowedPattern is enforced; Description up to 1,024; DeleteParameters up to 10 names; DescribeParameters up to 50 per page; 50 tags (SSM API reference)',
  },
  [
    'ssm: a value that references another parameter is refused',
    'ssm: a value that does not match its pattern is refused',
    'ssm: a pattern that is none is refused',
    'ssm: a description of 1,025 characters is refused',
    'ssm: DeleteParameters takes ten names, not eleven',
    'ssm: DescribeParameters gives fifty at most, and pages',
    'ssm: fifty tags fit, fifty-one do not',
    'ssm: a tag key given twice is refused',
    'ssm: an expiration in the past, or without a version, is refused',
  ],
);

const parameterSelector = each(
  {
    moto: 'leaves Selector out of the answer',
    documented:
      'Selector: "either the version number or the label used to retrieve the parameter value" (SSM API reference, Parameter)',
  },
  ['ssm: a version can be selected by number and by label'],
);

const parametersAtRoot = each(
  {
    moto: 'shows a name at the root as it was created',
    documented: 'shown without its slash by DescribeParameters (terraform-provider-aws #49339)',
  },
  ['ssm: DescribeParameters shows a name at the root without its slash'],
);

const managedKeys = each(
  {
    moto: 'takes any text for a key, and shows it',
    documented:
      'an AWS managed key serves its own service only (KMS developer guide); DescribeSecret leaves out aws/secretsmanager (Secrets Manager API reference)',
  },
  [
    'ssm: the managed key of Secrets Manager cannot encrypt a parameter',
    'secretsmanager: the managed key is left out of descriptions, and that of Parameter Store is refused',
  ],
);

const history = each(
  {
    moto: 'finds parameters by name only',
    documented: 'Name: the name or ARN (SSM API reference, GetParameterHistory)',
  },
  ['ssm: GetParameterHistory takes an ARN'],
);

export const MOTO_DIFFERENCES: Readonly<Record<string, KnownDifference>> = {
  ...MOTO_SECRETS_MANAGER_DIFFERENCES,
  ...MOTO_KMS_DIFFERENCES,
  ...authentication,
  ...authorization,
  ...trust,
  ...assumeRoleInput,
  ...federation,
  ...federationInput,
  ...userIds,
  ...iamLists,
  ...iamInput,
  ...unimplemented,
  ...parameterSizes,
  ...parameterNames,
  ...parameterInput,
  ...parameterSelector,
  ...parametersAtRoot,
  ...managedKeys,
  ...history,
};
