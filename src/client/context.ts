/** What every part of the client shares: who acts for which org, and how to wait. */
import type { SignInCredentials } from '../domain/connection/credentials.ts';
import type { Requests } from '../db/requests.ts';
import type { ConnectionRow } from '../db/engine/subjects.ts';
import type { Via } from '../domain/connection/candidate.ts';
import type { Check } from '../domain/connection/checks.ts';
import type { Reference } from '../domain/reference.ts';
import type { RunRecord, WaitOptions } from './types/run.ts';

export interface ClientContext {
  readonly orgId: string;
  /** Goes into `runs.requested_by`. */
  readonly actor: string | null;
  readonly via: Via;
  readonly requests: Requests;
  /** What a caller's text refers to: an id for the API, an id or a name for everybody else. */
  refer(text: string): Reference;
  wait(requestId: string, options: WaitOptions): Promise<RunRecord>;
  isForeignExternalId(externalId: string): Promise<boolean>;
  /**
   * Checks credentials at AWS before they replace a connection's; absent without access to AWS (the
   * library): then a validation does it.
   */
  readonly tryCredentials?: TryCredentials | undefined;
}

export type TryCredentials = (
  row: ConnectionRow,
  offer: { readonly credentials: SignInCredentials; readonly via: Via; readonly requestedBy: string | null },
) => Promise<CredentialsTrial>;

export interface CredentialsTrial {
  readonly verdict: { readonly status: 'valid' | 'degraded' | 'invalid'; readonly message: string | null };
  readonly checks: readonly Check[];
}
