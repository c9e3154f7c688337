/**
 * What acting on the status page needs, and how each change is recorded: before it is made, by
 * whom, and how it ended.
 */
import type { Context } from 'hono';

import type { Actor } from '../../client/client.ts';
import type { AuditLog } from '../../db/audit-log.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { statusOf } from '../../domain/http-status.ts';
import { formPurpose, type Signatures } from '../guard/forms.ts';
import type { FormToken } from './order-forms.ts';
import type { Client } from '../../client/types/client.ts';

export interface Acting {
  /** As the command line has it: of an operator, who acts for all orgs. */
  clientOf(actor: Required<Pick<Actor, 'orgId' | 'name'>>): Client;
  readonly audit: AuditLog;
  readonly signatures: Signatures;
  /** Offered on the connect page. */
  readonly org: string;
}

export interface PageChange {
  readonly orgId: string;
  /** `sync.run` */
  readonly action: string;
  /** Undefined for what is made by the change. */
  readonly subject: string | undefined;
  /** Returns the id of what it is about. */
  make(client: Client): Promise<string>;
}

/** For the forms of a page; undefined where operators may only read. */
export function tokenFor(c: Context, acting: Acting | undefined): FormToken {
  return acting?.signatures.sign(formPurpose(c.get('operator')));
}

/** Returns the id of what it is about. Rethrows what the change throws. */
export async function audited(
  c: Context,
  { acting, log }: { readonly acting: Acting; readonly log: Log },
  { make, ...change }: PageChange,
): Promise<string> {
  const requestId = c.get('requestId');
  const actor = c.get('operator');
  await acting.audit.record({ ...change, actor, via: 'page', requestId });
  const settle = (statusCode: number, subject?: string) =>
    acting.audit.settle({ requestId, statusCode, subject }).catch((error: unknown) => {
      // The change is made and on record; only how it ended is not.
      log.warn({ err: error, requestId }, 'the outcome of a change is not in the audit log');
    });
  try {
    const subject = await make(acting.clientOf({ orgId: change.orgId, name: actor }));
    // The status that API and library record; the form's redirect only concerns the browser.
    await settle(200, subject);
    return subject;
  } catch (error) {
    await settle(statusOf(toJobError(error).code));
    throw error;
  }
}
