/**
 * Orders of operators: a form posts to its own page; the answer is a redirect to that page, or the
 * page with the reason.
 */
import type { Context, Hono, MiddlewareHandler } from 'hono';

import type { StatusQueries } from '../../db/status/queries.ts';
import { JobError, toJobError } from '../../errors.ts';
import { statusOf } from '../../domain/http-status.ts';
import { readForm } from '../guard/form-body.ts';
import { type Acting, audited, tokenFor } from './acting.ts';
import type { AccountSources } from './base-account.ts';
import { findOrder, type Order, type SubjectKind } from './orders.ts';
import { findSubject, readSubject } from './readers.ts';
import { type Answering, orderNotice, showFailure, showNotFound, showRefusal, show, type Refusal } from './shown.ts';
import type { Client } from '../../client/types/client.ts';

export interface ActingPages extends Answering, Pick<AccountSources, 'ownIdentity'> {
  readonly queries: StatusQueries;
  readonly guard: MiddlewareHandler;
  /** Undefined: operators may only read. */
  readonly acting: Acting | undefined;
}

export const readOnly: Refusal = {
  status: 403,
  message: 'Operators may only look here. Nothing was changed.',
  fix: 'Start the server with `KEYFERRY_BOARD_WRITABLE=true`, or use the command line.',
};

const subjectKinds: readonly SubjectKind[] = ['connection', 'sync', 'rotation'];
/** Long enough to be read; after that the page's state shows it. */
const DONE_SHOWN_MS = 60_000;

export function addOrders(app: Hono, pages: ActingPages): void {
  for (const kind of subjectKinds) app.post(`/${kind}s/:id`, pages.guard, (c) => receive(c, pages, kind));
}

async function receive(c: Context, pages: ActingPages, kind: SubjectKind): Promise<Response> {
  const { acting } = pages;
  if (acting === undefined) return showRefusal(c, pages, readOnly);
  const form = await readForm(c, acting.signatures);
  if ('refusal' in form) return showRefusal(c, pages, form.refusal);
  try {
    const subject = await findSubject(pages.queries, kind, c.req.param('id'));
    if (subject === undefined) return await showNotFound(c, pages);
    const { action = '' } = form.fields;
    const order = findOrder(kind, action);
    if (order === undefined)
      return await refuse(c, pages, { kind, ...subject, error: unknownAction(), label: 'Action' });
    const { id, orgId } = subject;
    const make = async (client: Client) => {
      await order.carryOut(client, id, form.fields);
      return id;
    };
    try {
      await audited(c, { acting, log: pages.log }, { orgId, action: `${kind}.${action}`, subject: id, make });
    } catch (error) {
      return await refuse(c, pages, { kind, ...subject, error, label: order.label });
    }
    return c.redirect(doneAddress(acting, { kind, id, action }), 303);
  } catch (error) {
    return showFailure(c, pages, error);
  }
}

function unknownAction(): JobError {
  return new JobError('PAYLOAD_INVALID', { message: 'This page has no such action.' });
}

interface Refused {
  readonly kind: SubjectKind;
  readonly id: string;
  readonly label: string;
  readonly error: unknown;
}

async function refuse(c: Context, pages: ActingPages, { kind, id, label, error }: Refused): Promise<Response> {
  // A failure of keyferry itself is not shown as the answer to the order.
  if (statusOf(toJobError(error).code) >= 500) throw error;
  const { status, notice } = orderNotice(error, label);
  const content = await readSubject(pages.queries, kind, { id, now: pages.now(), token: tokenFor(c, pages.acting) });
  if (content === undefined) return showNotFound(c, pages);
  return show(c, pages, { ...content, status, notice, refresh: 'none' });
}

interface Done {
  readonly kind: SubjectKind;
  readonly id: string;
  readonly action: string;
}

const donePurpose = ({ kind, id, action }: Done) => `${action} of ${kind} ${id} is done`;

/** Signed, so that no link from elsewhere can claim that something was done. */
export function doneAddress({ signatures }: Acting, done: Done): string {
  const query = new URLSearchParams({ done: done.action, proof: signatures.sign(donePurpose(done)) });
  return `/${done.kind}s/${done.id}?${query.toString()}`;
}

/** What was just done according to the address; undefined when it proves nothing. */
export function doneOrder(
  c: Context,
  acting: Acting | undefined,
  { kind, id }: { readonly kind: SubjectKind; readonly id: string },
): Pick<Order, 'done'> | undefined {
  const action = c.req.query('done');
  if (acting === undefined || action === undefined) return undefined;
  const isOurs = acting.signatures.verify(donePurpose({ kind, id, action }), c.req.query('proof'), DONE_SHOWN_MS);
  return isOurs ? (findOrder(kind, action) ?? made[action]) : undefined;
}

/** Done by the connect page. */
const made: Readonly<Record<string, Pick<Order, 'done'>>> = {
  connect: {
    done: 'The connection is made. A worker checks it now; the checks appear here as soon as they are there.',
  },
  replace: { done: 'AWS accepted the new credentials.' },
};
