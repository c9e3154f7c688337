/** How the status page answers: a page, an error that is a page too, or a redirect after a form. */
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

import { errorTable, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { statusOf } from '../../domain/http-status.ts';
import { page, STATUS_POLICY, type Frame } from './layout.ts';
import { cause, type Html, prose, trouble } from './parts.ts';

export interface Content extends Omit<Frame, 'now'> {
  /** Default: 200. */
  readonly status?: ContentfulStatusCode;
}

export interface Answering {
  readonly log: Log;
  readonly now: () => Date;
}

export function show(
  c: Context,
  { now }: Answering,
  { status = 200, ...content }: Content,
): Response | Promise<Response> {
  c.header('Content-Security-Policy', STATUS_POLICY);
  // Without a referrer at all, browsers send the forms of this page with an unknown origin.
  c.header('Referrer-Policy', 'same-origin');
  return c.html(page({ ...content, now: now() }), status);
}

export function showNotFound(c: Context, answering: Answering): Response | Promise<Response> {
  const content = html`<header><h1>Not found</h1></header>
    <div class="notice warn">
      <p>There is nothing at this address. A subject that was here may have been deleted.</p>
      <p class="fix"><b>Fix:</b> start from the <a href="/">overview</a>, or search by name.</p>
    </div>`;
  return show(c, answering, { title: 'Not found', section: undefined, status: 404, content });
}

export interface Refusal {
  readonly status: ContentfulStatusCode;
  readonly message: string;
  readonly fix: string;
}

/** A form that is not accepted at all. */
export function showRefusal(
  c: Context,
  answering: Answering,
  { status, message, fix }: Refusal,
): Response | Promise<Response> {
  const content = html`<header><h1>Nothing was changed</h1></header>
    <div class="notice bad" role="alert">
      <p>${prose(message)}</p>
      <p class="fix"><b>Fix:</b> ${prose(fix)}</p>
    </div>`;
  return show(c, answering, { title: 'Refused', section: undefined, refresh: 'none', status, content });
}

export function showFailure(c: Context, answering: Answering, error: unknown): Response | Promise<Response> {
  const { code, publicMessage } = toJobError(error);
  answering.log.error({ err: error, requestId: c.get('requestId'), path: c.req.path }, 'status page failed');
  const status: ContentfulStatusCode = code === 'BUG_UNEXPECTED' ? 500 : 503;
  const content = html`<header><h1>The status cannot be read</h1></header>
    <div class="notice bad">
      <p>${prose(publicMessage)} <span class="muted">${code}</span></p>
      <p class="fix"><b>Fix:</b> ${prose(errorTable[code].nextStep)}</p>
      <p class="muted small">request ${c.get('requestId')}</p>
    </div>`;
  return show(c, answering, { title: 'Status unavailable', section: undefined, status, content });
}

/**
 * Why an order was not carried out, on the page of its subject. The message about wrong input
 * already says what is right.
 */
export function orderNotice(error: unknown, name: string): { readonly status: ContentfulStatusCode; notice: Html } {
  const { code, publicMessage: message } = toJobError(error);
  return {
    status: statusOf(code),
    notice: html`<div class="notice bad told" id="told" role="alert">
      <p><b>${name}:</b> nothing was changed.</p>
      ${code === 'PAYLOAD_INVALID' ? cause({ code, message }) : trouble({ code, message })}
    </div>`,
  };
}

export function doneNotice(text: string): Html {
  return html`<div class="notice busy told" id="told" role="status"><p>${prose(text)}</p></div>`;
}
