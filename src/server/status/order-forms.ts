/**
 * The buttons of one subject. Plain forms that post to their own page; empty where operators may
 * only read.
 */
import { html } from 'hono/html';

import type { ConnectionStatus, RotationStatus, SyncStatus } from '../../db/status/queries.ts';
import { orders, type SubjectKind } from './orders.ts';
import { type Html, panel } from './parts.ts';

/** Undefined: operators may only read. */
export type FormToken = string | undefined;

interface Subject {
  readonly kind: SubjectKind;
  readonly id: string;
  readonly token: string;
}

export function hiddenToken(token: string): Html {
  return html`<input type="hidden" name="token" value="${token}" />`;
}

function button({ kind }: Subject, name: string, look?: 'danger'): Html {
  return html`<button
    type="submit"
    id="do-${name}"
    name="action"
    value="${name}"
    ${look === undefined ? '' : html` class="${look}"`}
  >
    ${orders[kind][name]?.label ?? name}
  </button>`;
}

function form(subject: Subject, body: Html): Html {
  return html`<form method="post" action="/${subject.kind}s/${subject.id}">${hiddenToken(subject.token)}${body}</form>`;
}

function buttons(subject: Subject, names: readonly string[]): Html {
  return form(subject, html`${names.map((name) => button(subject, name))}`);
}

/** What the opposite button cannot undo takes two clicks, with a description of what it does. */
function careful(subject: Subject, name: string, { title, meaning }: { title: string; meaning: string }): Html {
  return html`<details id="order-${name}">
    <summary>${title}</summary>
    ${form(
      subject,
      html`<p>${meaning}</p>
        ${button(subject, name)}`,
    )}
  </details>`;
}

function bar(body: Html): Html {
  return html`<section class="actions" aria-label="Actions">${body}</section>`;
}

interface OfSync {
  readonly sync: SyncStatus;
  readonly token: FormToken;
  /** There is something to cancel. */
  readonly isBusy: boolean;
}

export function connectionOrders({ id, method }: ConnectionStatus, token: FormToken): Html {
  if (token === undefined) return html``;
  const path = method === 'assume-role' ? 'role' : 'access-key';
  return bar(
    html`${buttons({ kind: 'connection', id, token }, ['validate'])}
      <a class="button" href="/connections/${id}/${path}">Change the credentials</a>`,
  );
}

export function syncOrders({ sync, token, isBusy }: OfSync): Html {
  if (token === undefined) return html``;
  const subject: Subject = { kind: 'sync', id: sync.id, token };
  const cancel = {
    title: 'Cancel …',
    meaning:
      'What was asked for is withdrawn, and a run stops before its next write. What is written stays. An automatic sync is paused.',
  };
  return bar(
    html`${buttons(subject, ['run', 'plan', 'check', sync.pausedAt === null ? 'pause' : 'resume'])}
    ${isBusy ? careful(subject, 'cancel', cancel) : ''}`,
  );
}

const BEFORE_PUBLICATION = ['creating', 'verifying'];

export function rotationOrders(rotation: RotationStatus, token: FormToken): Html {
  if (token === undefined) return html``;
  const subject: Subject = { kind: 'rotation', id: rotation.id, token };
  const run = {
    title: 'Rotate …',
    meaning: `A new access key is made for ${rotation.userName} and published. The old one is retired after its quiet time.`,
  };
  const cancel = {
    title: 'Cancel …',
    meaning: 'The new key, which is not published yet, is deleted. The present one stays.',
  };
  return bar(
    html`${buttons(subject, [rotation.pausedAt === null ? 'pause' : 'resume'])}
    ${rotation.phase === 'idle' ? careful(subject, 'run', run) : ''}${
      BEFORE_PUBLICATION.includes(rotation.phase) ? careful(subject, 'cancel', cancel) : ''
    }`,
  );
}

export function asksForConfirmation({ statusCode }: SyncStatus, token: FormToken): token is string {
  return token !== undefined && statusCode === 'SYNC_DELETIONS_UNCONFIRMED';
}

/** Shown while the brake holds a sync: the number is typed, not offered. */
export function confirmationForm(sync: SyncStatus, token: FormToken): Html {
  if (!asksForConfirmation(sync, token)) return html``;
  const subject: Subject = { kind: 'sync', id: sync.id, token };
  return panel({
    title: 'Confirm the deletions',
    body: form(
      subject,
      html`<div class="body fields">
        <div class="field">
          <label for="confirm-deletions">Number of objects that are deleted at AWS</label>
          <input
            type="text"
            inputmode="numeric"
            pattern="[0-9]{1,9}"
            id="confirm-deletions"
            name="confirmDeletions"
            required
            autocomplete="off"
            aria-describedby="confirm-deletions-hint"
          />
          <p class="hint" id="confirm-deletions-hint">
            Look at the plan, then type how many it deletes. It counts only for a plan with exactly so many.
          </p>
        </div>
        <div>${button(subject, 'confirm', 'danger')}</div>
      </div>`,
    ),
  });
}
