/** What every part of the client shares: who acts for which org, and how to wait. */
import type { Requests } from '../db/requests.ts';
import type { RunRecord } from './views.ts';
import type { WaitOptions } from './waiting.ts';

export interface ClientContext {
  readonly orgId: string;
  /** Goes into `runs.requested_by`. */
  readonly actor: string | null;
  readonly createdVia: 'operator' | 'api';
  readonly requests: Requests;
  wait(requestId: string, options: WaitOptions): Promise<RunRecord>;
  isOtherOrg(orgId: string): Promise<boolean>;
}
