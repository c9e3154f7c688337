/**
 * The registry of error codes and the one error class. Every error that may leave the process is a
 * `JobError`: its public message is written in `errors/` or by the code that raised it, never by
 * drizzle, the SDK or zod. `docs/errors.md` is held to this table by a test.
 */

import { cutText, toStorable } from './domain/text.ts';
import { awsErrors } from './errors/aws.ts';
import { connectionErrors } from './errors/connection.ts';
import type { Disposition } from './errors/entry.ts';
import { requestErrors } from './errors/request.ts';
import { rotationErrors } from './errors/rotation.ts';
import { secretsErrors } from './errors/secrets.ts';
import { serverErrors } from './errors/server.ts';
import { syncErrors } from './errors/sync.ts';
import { systemErrors } from './errors/system.ts';

export type { Disposition };

export const errorTable = {
  ...systemErrors,
  ...requestErrors,
  ...serverErrors,
  ...secretsErrors,
  ...connectionErrors,
  ...syncErrors,
  ...rotationErrors,
  ...awsErrors,
};

export type ErrorCode = keyof typeof errorTable;

/** What a call to AWS failed with, as far as AWS, or the way to it, said. */
interface AwsFacts {
  /** `ssm.PutParameter`, for example. */
  readonly operation?: string;
  /** AWS's name of the error, or the SDK's. */
  readonly awsError?: string;
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** Node's code of a connection that failed. */
  readonly network?: string;
  readonly deniedAction?: string;
  readonly deniedResource?: string;
  readonly deniedBy?: 'no-allow' | 'explicit-deny' | 'session-policy';
  /** The change may have been made although the call failed. */
  readonly isAmbiguous?: boolean;
  readonly clockSkewCorrected?: boolean;
  /** The action and the resource that a statement would allow. */
  readonly action?: string;
  readonly resource?: string;
}

/** Facts for the log and for callers: names and ids, never values. */
export interface ErrorContext extends AwsFacts {
  /** All that is wrong with an input or a configuration, as sentences. */
  readonly problems?: readonly string[];
  /** Of a command that is right, where a command line is refused. */
  readonly example?: string;
  /** HTTP status that a source answered with. */
  readonly status?: number;
  readonly sqlState?: string;
  readonly setting?: string;
  readonly version?: number;
  readonly table?: string;
  readonly column?: string;
  readonly rowKey?: string;
  readonly subjectId?: string;
  readonly runId?: string;
  readonly accessKeyId?: string;
  readonly phase?: string;
  readonly secretPath?: string;
  readonly count?: number;
  readonly deletions?: number;
  readonly keys?: readonly string[];
  readonly syncs?: readonly string[];
  readonly candidates?: unknown;
  readonly dependents?: unknown;
  readonly checks?: unknown;
}

export interface JobErrorDetails {
  /**
   * The exact, public sentence; at most 256 characters are kept. Must hold no value and nothing of
   * another org.
   */
  readonly message?: string;
  /**
   * The same sentence with the names of servers, for the operator's terminal and log. Default:
   * `message`.
   */
  readonly operatorMessage?: string | undefined;
  readonly disposition?: Disposition;
  readonly retryAfterMs?: number;
  readonly context?: ErrorContext;
  readonly cause?: unknown;
}

const MAX_PUBLIC_MESSAGE = 256;

export class JobError extends Error {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly retryAfterMs: number | undefined;
  readonly publicMessage: string;
  readonly operatorMessage: string;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, details: JobErrorDetails = {}) {
    const message = truncate(details.message ?? errorTable[code].message);
    super(message, { cause: details.cause });
    this.name = 'JobError';
    this.code = code;
    this.disposition = details.disposition ?? errorTable[code].disposition;
    this.retryAfterMs = details.retryAfterMs;
    this.publicMessage = message;
    this.operatorMessage = truncate(details.operatorMessage ?? message);
    this.context = details.context ?? {};
  }
}

/** The message is stored with the run, and parts of it may come from AWS. */
function truncate(message: string): string {
  return toStorable(message.length <= MAX_PUBLIC_MESSAGE ? message : `${cutText(message, MAX_PUBLIC_MESSAGE - 1)}…`);
}

/** Unknown errors are private: their text stays in `cause`, for the redacted log only. */
export function toJobError(error: unknown): JobError {
  return error instanceof JobError ? error : new JobError('BUG_UNEXPECTED', { cause: error });
}
