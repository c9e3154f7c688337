import { describe, expect, it } from 'vitest';

import { toBaseFault } from '../../../src/aws/base-fault.ts';
import { type FailedCall, toAwsError } from '../../../src/aws/errors.ts';
import { toAsked } from '../../../src/aws/foreign-text.ts';
import { errorTable, JobError } from '../../../src/errors.ts';

const REQUEST_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

interface Raw {
  readonly name: string;
  readonly message?: string;
  readonly status?: number;
  readonly code?: string;
}

const raw = ({ name, message = '', status, code }: Raw) =>
  Object.assign(new Error(message), {
    name,
    ...(code === undefined ? {} : { code }),
    $metadata: { httpStatusCode: status, requestId: status === undefined ? undefined : REQUEST_ID },
  });
const classify = (error: Raw, call: FailedCall = { operation: 'ssm.GetParameters', isMutation: false }) =>
  toAwsError(raw(error), call);

describe('an error of AWS', () => {
  it.each([
    [{ name: 'InvalidClientTokenId', status: 403 }, 'CONNECTION_KEY_UNKNOWN'],
    [{ name: 'UnrecognizedClientException', status: 400 }, 'CONNECTION_KEY_UNKNOWN'],
    [
      { name: 'SignatureDoesNotMatch', status: 403, message: 'The request signature we calculated does not match' },
      'CONNECTION_SECRET_WRONG',
    ],
    [
      { name: 'InvalidSignatureException', status: 400, message: 'Signature expired: 20260101 is now earlier than' },
      'AWS_CLOCK_SKEW',
    ],
    [{ name: 'SignatureDoesNotMatch', status: 403, message: 'Signature not yet current: 20260101' }, 'AWS_CLOCK_SKEW'],
    [{ name: 'RequestExpired', status: 400 }, 'AWS_CLOCK_SKEW'],
    [{ name: 'ExpiredToken', status: 403 }, 'CONNECTION_TOKEN_EXPIRED'],
    [{ name: 'ExpiredTokenException', status: 400 }, 'CONNECTION_TOKEN_EXPIRED'],
    [{ name: 'RegionDisabledException', status: 403 }, 'CONNECTION_REGION_DISABLED'],
    [{ name: 'AccessDeniedException', status: 400 }, 'AWS_ACCESS_DENIED'],
    [{ name: 'AccessDeniedException', status: 400, message: 'Access to KMS is not allowed' }, 'AWS_KMS_DENIED'],
    [
      {
        name: 'AccessDeniedException',
        status: 400,
        message: 'The ciphertext refers to a customer master key that does not exist',
      },
      'AWS_KMS_DENIED',
    ],
    [{ name: 'InvalidKeyId', status: 400 }, 'AWS_KMS_DENIED'],
    [{ name: 'EncryptionFailure', status: 400 }, 'AWS_KMS_DENIED'],
    [{ name: 'ThrottlingException', status: 400 }, 'AWS_THROTTLED'],
    [{ name: 'Throttling', status: 400 }, 'AWS_THROTTLED'],
    [{ name: 'Anything', status: 429 }, 'AWS_THROTTLED'],
    [{ name: 'LimitExceededException', status: 409 }, 'AWS_LIMIT_EXCEEDED'],
    [{ name: 'ParameterMaxVersionLimitExceeded', status: 400 }, 'AWS_LIMIT_EXCEEDED'],
    [{ name: 'TooManyUpdates', status: 400 }, 'AWS_CONFLICT'],
    [{ name: 'EntityTemporarilyUnmodifiableException', status: 409 }, 'AWS_CONFLICT'],
    [{ name: 'ResourceNotFoundException', status: 400 }, 'AWS_NOT_FOUND'],
    [{ name: 'NoSuchEntityException', status: 404 }, 'AWS_NOT_FOUND'],
    [{ name: 'InvalidRequestException', status: 400 }, 'AWS_REJECTED'],
    [{ name: 'ParameterAlreadyExists', status: 400 }, 'AWS_REJECTED'],
    [{ name: 'PackedPolicyTooLargeException', status: 400 }, 'AWS_REJECTED'],
    [{ name: 'SomethingNew', status: 400 }, 'AWS_REJECTED'],
    [{ name: 'InternalServiceError', status: 500 }, 'AWS_UNAVAILABLE'],
    [{ name: 'SyntaxError', status: 503 }, 'AWS_UNAVAILABLE'],
    [{ name: 'SyntaxError', status: 200 }, 'AWS_UNREACHABLE'],
    [{ name: 'TimeoutError', code: 'ECONNRESET' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'ENOTFOUND' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'EAI_FAIL' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'EADDRNOTAVAIL' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'EMFILE' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'ENETDOWN' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'HPE_INVALID_CONSTANT' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'ERR_STREAM_PREMATURE_CLOSE' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'AWS_UNREACHABLE'],
    [{ name: 'Error', code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' }, 'AWS_UNREACHABLE'],
    [{ name: 'CredentialsProviderError' }, 'CONNECTION_NO_BASE_IDENTITY'],
    [{ name: 'TypeError' }, 'BUG_UNEXPECTED'],
  ] as const)('%o is %s', (error, code) => {
    expect(classify(error).code).toBe(code);
  });

  it('of AssumeRole blames role or base identity, not a call', () => {
    const call = { operation: 'sts.AssumeRole', isMutation: false, isBase: true };
    expect(classify({ name: 'AccessDenied', status: 403 }, call).code).toBe('CONNECTION_ACCESS_DENIED');
    expect(classify({ name: 'ExpiredToken', status: 403 }, call).code).toBe('CONNECTION_BASE_REFUSED');
  });

  it.each([
    ['The parameter RemoveFromVersionId can’t be empty.', 'AWS_CONFLICT'],
    ['The staging label AWSCURRENT is not currently attached to version 0f8fad5b.', 'AWS_CONFLICT'],
    ['You provided an invalid value.', 'AWS_REJECTED'],
  ])('of a moved label is a conflict where AWS says that the label has moved: %s', (message, code) => {
    const error = { name: 'InvalidParameterException', status: 400, message };
    const move = { operation: 'secretsmanager.UpdateSecretVersionStage', isMutation: true };
    expect(classify(error, move).code).toBe(code);
    expect(classify(error, { operation: 'secretsmanager.PutSecretValue', isMutation: true }).code).toBe('AWS_REJECTED');
  });

  it('names the denied action and resource exactly', () => {
    const text =
      'User: arn:aws:sts::111122223333:assumed-role/app/keyferry is not authorized to perform: ssm:PutParameter on resource: arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/A because no identity-based policy allows the ssm:PutParameter action';
    const error = classify(
      { name: 'AccessDeniedException', status: 400, message: text },
      { operation: 'ssm.PutParameter', isMutation: true, asked: toAsked({ Name: '/app/prod/A', Value: 'v' }) },
    );
    expect(error.context).toMatchObject({
      deniedAction: 'ssm:PutParameter',
      deniedResource: 'arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/A',
      deniedBy: 'no-allow',
    });
    expect(error.publicMessage).toBe(
      `AWS denied ssm:PutParameter on arn:aws:ssm:eu-west-1:111122223333:parameter/app/prod/A. AWS request id: ${REQUEST_ID}.`,
    );
  });

  it.each([
    ['with an explicit deny in a service control policy', 'explicit-deny'],
    ['because no session policy allows the ssm:PutParameter action', 'session-policy'],
  ])('tells a refusal %s', (reason, deniedBy) => {
    const error = classify({
      name: 'AccessDeniedException',
      status: 400,
      message: `x is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:a:1:parameter/x ${reason}`,
    });
    expect(error.context.deniedBy).toBe(deniedBy);
  });

  it('is ambiguous only for a mutation that may have reached AWS', () => {
    const mutation = { operation: 'iam.CreateAccessKey', isMutation: true };
    const isAmbiguous = (error: Raw) => classify(error, mutation).context.isAmbiguous === true;
    expect(
      [
        { name: 'TimeoutError', code: 'ECONNRESET' },
        { name: 'ServiceFailure', status: 500 },
        { name: 'Error', code: 'ERR_STREAM_PREMATURE_CLOSE' },
        { name: 'TypeError' },
      ].map(isAmbiguous),
    ).toEqual([true, true, true, true]);
    expect(
      [
        { name: 'E', code: 'ECONNREFUSED' },
        { name: 'E', code: 'EMFILE' },
        { name: 'E', code: 'CERT_HAS_EXPIRED' },
        { name: 'Throttling', status: 400 },
        { name: 'AccessDenied', status: 403 },
      ].map(isAmbiguous),
    ).toEqual([false, false, false, false, false]);
  });

  it.each([
    ['Unknown', 403],
    ['UnknownError', 404],
    ['TypeError', 400],
    ['Unknown', 302],
    ['SyntaxError', 200],
  ])('is no error of AWS without name and request id: %s with status %i', (name, httpStatusCode) => {
    const answer = Object.assign(new Error('x'), { name, $metadata: { httpStatusCode } });
    for (const isBase of [false, true]) {
      const error = toAwsError(answer, { operation: 'sts.AssumeRole', isMutation: false, isBase });
      expect(error).toMatchObject({ code: 'AWS_UNREACHABLE' });
      expect(error.publicMessage).toContain('does not come from AWS');
    }
    expect(toBaseFault(answer)).toMatchObject({ code: 'CONNECTION_NO_BASE_IDENTITY' });
    expect(toBaseFault(answer).publicMessage).toContain('does not come from AWS');
  });

  it('keeps what is a JobError already', () => {
    const error = new JobError('LEASE_LOST');
    expect(toAwsError(error, { operation: 'ssm.PutParameter', isMutation: true })).toBe(error);
  });

  it('never repeats AWS’s text', () => {
    for (const name of [
      'ValidationException',
      'AccessDeniedException',
      'SomethingNew',
      'InvalidParameterException',
      'TypeError',
    ]) {
      const error = classify({
        name,
        status: 400,
        message: 'Value canary at value is not authorized to perform: canary',
      });
      expect(error.publicMessage).not.toContain('canary');
      expect(JSON.stringify(error.context)).not.toContain('canary');
      expect(error.publicMessage.length).toBeLessThanOrEqual(256);
      expect(errorTable[error.code].nextStep).toBeTruthy();
    }
  });
});
