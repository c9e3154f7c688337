/** `client.connections`: how keyferry reaches AWS accounts. Secrets go in and never come out. */
import type { ExternalIdException, StoredCandidate, Via } from '../../domain/connection/candidate.ts';
import type { Check } from '../../domain/connection/checks.ts';
import type { Dependent } from '../../domain/connection/dependent.ts';
import type { RunRecord, WaitOptions } from './run.ts';
import type { Subject, UpdateOptions } from './subject.ts';

/** A connection to one AWS account, without its secret. */
export interface Connection extends Subject {
  /** How keyferry gets its session. */
  readonly method: 'assume-role' | 'access-key';
  /** ARN of the role; null with an access key. */
  readonly roleArn: string | null;
  /** What the role must insist on; null with an access key. */
  readonly externalId: string | null;
  /** Id of the IAM user's key (AKIA…); null with a role. */
  readonly accessKeyId: string | null;
  /** Grows with every change of role, key or secret. */
  readonly credentialsRevision: number;
  /**
   * Credentials that replace the present ones once AWS accepts them, or the reason why AWS refused
   * them.
   */
  readonly candidate: StoredCandidate | null;
  /** An operator's permission to use a role that does not insist on its external ID. */
  readonly externalIdException: ExternalIdException | null;
  /** Syncs use the access key only through a session that is narrowed to what they need. */
  readonly narrowAccessKey: boolean;
  /** Region of its validation, such as `eu-central-1`; null: the default of the installation. */
  readonly region: string | null;
  /** Who set the credentials last. */
  readonly createdVia: Via;
  /** `degraded`: usable, with warnings in `checks`. */
  readonly status: 'pending' | 'valid' | 'degraded' | 'invalid';
  /** 12 digits; null before the first validation that reached AWS. */
  readonly accountId: string | null;
  /** Whom AWS takes keyferry for with these credentials. */
  readonly principalArn: string | null;
  /** What the last validation found out, one check at a time. */
  readonly checks: readonly Check[];
  /** When the last validation ended. */
  readonly lastValidatedAt: Date | null;
  /** When the schedule validates it again. */
  readonly nextValidationAt: Date | null;
  /** When keyferry last tried whether the role insists on its external ID. */
  readonly externalIdProbedAt: Date | null;
  /** Validations in a row that failed. */
  readonly consecutiveFailures: number;
}

/** A role that keyferry assumes, or the access key of an IAM user. */
export type NewConnectionCredentials =
  | {
      /** keyferry assumes a role. */
      readonly method: 'assume-role';
      /** Such as `arn:aws:iam::111122223333:role/keyferry`. */
      readonly roleArn: string;
      /** Operators only; default: the org's id. 2 to 1,224 characters. */
      readonly externalId?: string | undefined;
    }
  | {
      /** keyferry signs with a key of an IAM user. */
      readonly method: 'access-key';
      /** AKIA…; temporary keys (ASIA…) are refused. */
      readonly accessKeyId: string;
      /** 16 to 128 characters; stored encrypted, never shown. */
      readonly secretAccessKey: string;
    };

/** A connection to be. */
export interface CreateConnection {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name: string;
  /** At most 256 characters. */
  readonly description?: string | null | undefined;
  /** At most 128 characters; null (default): the whole org's. */
  readonly projectId?: string | null | undefined;
  /** Region of its validation; null (default): the default of the installation. */
  readonly region?: string | null | undefined;
  /** A role, or an access key. */
  readonly credentials: NewConnectionCredentials;
  /**
   * Access keys only: syncs use it through a session that is narrowed to what they need. Default:
   * false.
   */
  readonly narrowAccessKey?: boolean | undefined;
  /**
   * Operators only: why a role may be used that does not insist on an external ID, in 8 to 256
   * characters.
   */
  readonly allowMissingExternalId?: string | null | undefined;
}

/** What changes; a field that is left out stays as it is. */
export interface UpdateConnection {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name?: string | undefined;
  /** At most 256 characters; null removes it. */
  readonly description?: string | null | undefined;
  /** Null: the default of the installation. */
  readonly region?: string | null | undefined;
  /** New credentials, as a whole. */
  readonly credentials?: NewConnectionCredentials | undefined;
  /** Access keys only. */
  readonly narrowAccessKey?: boolean | undefined;
  /** Operators only; null takes the permission back. */
  readonly allowMissingExternalId?: string | null | undefined;
}

/** How an update of a connection treats what is there. */
export interface UpdateConnectionOptions extends UpdateOptions {
  /** Replaces working credentials without asking AWS. */
  readonly force?: boolean;
}

/** What `create` answers. */
export interface CreatedConnection {
  /** As recorded; its status is `pending`. */
  readonly connection: Connection;
  /** Of its first validation, for `runs.wait`. */
  readonly requestId: string;
}

/** What `createValidated` answers. */
export interface ValidatedConnection extends CreatedConnection {
  /** The validation; null without a verdict in time. */
  readonly run: RunRecord | null;
}

/** Throws CONNECTION_NOT_FOUND where an id or a name is given that the org does not have. */
export interface ConnectionsClient {
  /**
   * Records a connection and asks for its validation. The external ID of a role is the org's id;
   * only an operator may choose another. Throws CONNECTION_NAME_TAKEN, PAYLOAD_INVALID.
   */
  create(input: CreateConnection): Promise<CreatedConnection>;
  /**
   * As `create`, and waits for the verdict. A connection that AWS refuses is not kept, unless
   * something came in between: throws CONNECTION_INVALID with the reason. Without a verdict in time
   * it stays `pending`, and its validation continues.
   */
  createValidated(input: CreateConnection, options: WaitOptions): Promise<ValidatedConnection>;
  /** The connection of this id or name. */
  get(idOrName: string): Promise<Connection>;
  /** All connections of the org. */
  list(): Promise<readonly Connection[]>;
  /** Syncs and rotations that use it. */
  dependents(idOrName: string): Promise<readonly Dependent[]>;
  /**
   * Changes name, description, region or credentials; nothing when nothing is given. New
   * credentials replace the working ones only once AWS accepts them, unless `force`. With access to
   * AWS they are checked before this returns, and refused with CONNECTION_INVALID. Without (the
   * library) they are offered as `candidate`, and the next validation decides: `validate` waits for
   * it, and fails with the reason when they are refused. Throws PAYLOAD_INVALID, PAYLOAD_STALE,
   * CONNECTION_NAME_TAKEN.
   */
  update(idOrName: string, input: UpdateConnection, options?: UpdateConnectionOptions): Promise<Connection>;
  /** Asks for a validation now; returns the request's id. */
  requestValidation(idOrName: string): Promise<string>;
  /** Validates now and waits for the run. Throws QUEUE_TIMEOUT. */
  validate(idOrName: string, options?: WaitOptions): Promise<RunRecord>;
  /** Throws CONNECTION_IN_USE, naming the dependents. */
  delete(idOrName: string): Promise<void>;
}
