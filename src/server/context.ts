/** What every request carries along. */
import type { Caller } from '../domain/caller.ts';
import type { Client } from '../client/types/client.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** In every error answer and in the log line of a failed request. */
    requestId: string;
    /** The user of board or status page. */
    operator: string;
    /** Of API requests: whose token it is. */
    caller: Caller;
    /** Everything the caller may do, bound to the caller's org. */
    client: Client;
    /** Id of what a request made, for the audit trail. */
    subject: string | undefined;
    /** The answer holds a secret, so that it is not kept for a repeated request. */
    holdsSecret: boolean | undefined;
  }
}
