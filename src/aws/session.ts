/**
 * The rest of the program's view of AWS: a session for one connection and one use, whose SDK
 * clients are already counted, budgeted, lease-guarded, limited in time and classified. A call made
 * through them throws `JobError` and nothing else.
 */
import type { IAMClient } from '@aws-sdk/client-iam';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { STSClient } from '@aws-sdk/client-sts';

import type { BaseReport } from '../domain/connection/base-identity.ts';
import type { CallLog } from '../domain/call-log.ts';
import type { ConnectionCredentials } from '../domain/connection/credentials.ts';
import type { DataKeyService } from '../domain/data-keys.ts';
import type { PolicyDocument } from '../domain/policy/document.ts';

/** What a run passes to its calls. */
export interface CallScope {
  /** Aborted when the run loses its lease, is cancelled, or the worker shuts down. */
  readonly signal: AbortSignal;
  /** Counts every attempt, as `ssm.PutParameter`. */
  readonly calls: CallLog;
  /**
   * Rejects with LEASE_LOST unless the lease outlives a call's deadline; asked before every
   * mutation.
   */
  beforeMutation(): Promise<void>;
  /** On whose behalf the call budget is asked: an account's calls are shared between subjects. */
  readonly subjectId: string;
}

export interface SessionRequest {
  readonly credentials: ConnectionCredentials;
  readonly region: string;
  /** Narrows an assumed role to this use; an access key only as `narrowing` says. */
  readonly policy?: PolicyDocument;
  /**
   * Of an access key: SSM and Secrets Manager are called with a session of GetFederationToken under
   * `policy`. `wanted`: with the key itself where AWS refuses that; `required`: the refusal is
   * thrown. STS and IAM are always called with the key. Absent: everything is.
   */
  readonly narrowing?: 'wanted' | 'required';
  readonly scope: CallScope;
}

export interface Identity {
  readonly accountId: string;
  readonly arn: string;
  readonly userId: string;
  readonly partition: string;
}

export interface AwsSession {
  readonly region: string;
  readonly scope: CallScope;
  /**
   * From AssumeRole's own answer, or one GetCallerIdentity for an access key; cached with the
   * session.
   */
  identity(): Promise<Identity>;
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly ssm: SSMClient;
  readonly secretsManager: SecretsManagerClient;
}

export interface AwsAccess {
  /** Opens without a call; the first call through the session assumes the role. */
  session(request: SessionRequest): AwsSession;
  /**
   * A fresh AssumeRole (or GetCallerIdentity; GetFederationToken with `narrowing`), past the cache,
   * which it seeds: what a validation calls.
   */
  verify(request: SessionRequest): Promise<Identity>;
  /**
   * Tries to assume the role with another external ID, or none, under a deny-all session policy,
   * and discards what it gets. True when AWS refused, as it must.
   */
  refusesExternalId(request: SessionRequest, externalId: string | undefined): Promise<boolean>;
  /** A session of a bare key pair, for the verification of a new key; nothing is cached. */
  keySession(request: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly region: string;
    readonly scope: CallScope;
  }): AwsSession;
  /** Who the worker itself is: the base identity, cached. Throws CONNECTION_NO_BASE_IDENTITY. */
  baseIdentity(scope: CallScope): Promise<Identity>;
  /** The id of the key that it signs with; undefined while no work has needed it. */
  baseKeyInUse(): string | undefined;
  /** Its kind, owner and the age of its key, asked outside any run. Throws as `baseIdentity`. */
  baseReport(): Promise<BaseReport>;
  /** KMS, as the worker's own identity. */
  readonly dataKeys: DataKeyService;
  /** Active endpoint overrides, for the start log and `status`. */
  readonly endpointOverrides: Readonly<Record<string, string>>;
}
