/**
 * The AWS account that a new role must trust: of the identity that workers use, before that of the
 * server's own.
 */
import { setTimeout } from 'node:timers/promises';

import { html } from 'hono/html';

import type { StatusQueries } from '../../db/status/queries.ts';
import { JobError, toJobError } from '../../errors.ts';
import type { AssumingAccount } from './needed-policies.ts';
import { type Html, prose } from './parts.ts';

/** The account that a role must trust, or why it is not known yet. */
export type BaseAccount =
  | (AssumingAccount & { readonly of: 'worker' | 'server' | 'typed' })
  | { readonly of: 'nobody'; readonly reason: string };

export interface AccountSources {
  readonly queries: Pick<StatusQueries, 'baseIdentities'>;
  /** Of this server, before any worker has used one. Throws why there is none. */
  ownIdentity(): Promise<{ readonly accountId: string; readonly arn: string }>;
}

/**
 * Of the identity that workers used last, unless another account is typed; before that, of the
 * server's own.
 */
export async function baseOf({ queries, ownIdentity }: AccountSources, typed: string): Promise<BaseAccount> {
  const seen = await queries.baseIdentities();
  const last = seen.reduce<(typeof seen)[number] | undefined>(
    (latest, one) => (latest === undefined || one.lastSeenAt > latest.lastSeenAt ? one : latest),
    undefined,
  );
  const partition = partitionOf(last?.arn);
  if (typed !== '') return { accountId: typed, partition, of: 'typed' };
  if (last !== undefined) return { accountId: last.accountId, partition, of: 'worker' };
  try {
    const own = await inTime(ownIdentity());
    return { accountId: own.accountId, partition: partitionOf(own.arn), of: 'server' };
  } catch (error) {
    return { of: 'nobody', reason: toJobError(error).publicMessage };
  }
}

const partitionOf = (arn: string | undefined): string => arn?.split(':')[1] ?? 'aws';

const OWN_IDENTITY_LIMIT_MS = 3_000;

/** Sources that do not answer are asked for longer than a reader waits; the page reloads later. */
function inTime<T>(asked: Promise<T>): Promise<T> {
  const late = setTimeout(OWN_IDENTITY_LIMIT_MS, undefined, { ref: false }).then(() => {
    throw new JobError('CONNECTION_NO_BASE_IDENTITY', { message: 'Its source has not answered yet.' });
  });
  return Promise.race([asked, late]);
}

export const serversAccount = (accountId: string) =>
  `${accountId} is the account of this server’s own AWS identity, since no worker has used one yet. Workers must use one of the same account.`;

export function unknownBase(reason: string): Html {
  return html`<div class="body">
    <p>
      The trust policy names the AWS account of keyferry’s own identity, and that is not known yet: no worker has used
      one, and this server has none. ${prose(reason)}
    </p>
    <p class="fix">
      <b>Fix:</b> give the workers an identity and start one with <code>keyferry worker</code>, or type the account
      above. This page looks again by itself; without JavaScript, <a href="">reload it</a>.
    </p>
  </div>`;
}
