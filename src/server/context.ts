/** What every request carries along. */
import type { Context } from 'hono';

export interface ServerEnv {
  readonly Variables: {
    /** In every error answer and in the log line of a failed request. */
    requestId: string;
    /** Who is logged in, for the audit trail. */
    operator: string;
  };
}

export type ServerContext = Context<ServerEnv>;
