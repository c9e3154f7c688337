/**
 * The pieces that all status pages are made of: chips, times, errors with their fix, tables'
 * captions, pages. Pure; everything is escaped by `html`.
 */
import { html } from 'hono/html';

import { isSaid, type Named, withName } from '../../domain/advice.ts';
import { formatNumber } from '../../domain/counted.ts';
import { formatRelative } from '../../domain/span.ts';
import { type Tone, toneOf } from '../../domain/tone.ts';
import { errorTable } from '../../errors.ts';

export type Html = ReturnType<typeof html>;
/** A shape per tone, so that colour is not the only sign. */
const shapes: Readonly<Record<Tone, Html>> = {
  ok: html`<svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="4.5" /></svg>`,
  warn: html`<svg viewBox="0 0 10 10" aria-hidden="true"><path d="M5 .5 9.8 9.5H.2z" /></svg>`,
  bad: html`<svg viewBox="0 0 10 10" aria-hidden="true">
    <path d="M1 2.6 2.6 1 5 3.4 7.4 1 9 2.6 6.6 5 9 7.4 7.4 9 5 6.6 2.6 9 1 7.4 3.4 5z" />
  </svg>`,
  busy: html`<svg viewBox="0 0 10 10" aria-hidden="true"><path d="M1 0 9.5 5 1 10z" /></svg>`,
  idle: html`<svg viewBox="0 0 10 10" aria-hidden="true">
    <path d="M5 .5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9m0 1.8a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4" />
  </svg>`,
};

export function chip(status: string, count?: number): Html {
  const tone = toneOf(status);
  return html`<span class="chip ${tone}"
    >${shapes[tone]}${count === undefined ? '' : html`<b>${formatNumber(count)}</b> `}${status}</span
  >`;
}

export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))} ms`;
  return ms < 60_000
    ? `${(ms / 1_000).toFixed(1)} s`
    : `${String(Math.floor(ms / 60_000))} min ${String(Math.round((ms % 60_000) / 1_000))} s`;
}

/** `2026-01-31 04:05:06 UTC`. */
export function formatMoment(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Relative to now, with the absolute time as the title. */
export function when(at: Date | null | undefined, now: Date): Html {
  if (at === null || at === undefined) return html`<span class="muted">–</span>`;
  return html`<time datetime="${at.toISOString()}" title="${formatMoment(at)}">${formatRelative(at, now)}</time>`;
}

/** For future times: what is already due reads as due, never as a time in the past. */
export function upcoming(at: Date | null | undefined, now: Date): Html {
  if (at === null || at === undefined || at > now) return when(at, now);
  return html`<span class="muted" title="${formatMoment(at)}">due now</span>`;
}

/** Text with `commands` in backticks. */
export function prose(text: string): Html {
  const parts = text.split(/`([^`]+)`/);
  return html`${parts.map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}

export function fixOf(code: string | null | undefined): string | undefined {
  return code !== null && code !== undefined && code in errorTable
    ? errorTable[code as keyof typeof errorTable].nextStep
    : undefined;
}

export interface Trouble {
  readonly code: string | null | undefined;
  readonly message: string | null | undefined;
  /** More exact than what the code's entry advises. */
  readonly fix?: string | null | undefined;
  /** The object concerned: commands of the advice get its name. */
  readonly of?: Named | undefined;
}

/** The page confirms deletions by a form; other fields are set by API and command line. */
function onPage(text: string, of: Named | undefined): string {
  const asked = text
    .replace(/\brun the sync with `confirmDeletions: \d+`/, 'confirm them on the page of the sync')
    .replace(/\brun the sync with `confirmDeletions: N`/, 'confirm the deletions on the page of the sync');
  return of === undefined ? asked : withName(asked, of);
}

/** What happened and its code. */
export function cause({ code, message, of }: Trouble): Html {
  if (!code && !message) return html``;
  const text = message ?? '';
  return html`<p class="why">${prose(onPage(text, of))}${code ? html` <span class="code">${code}</span>` : ''}</p>`;
}

/** What happened, and next to it what to do, unless the message says it already. */
export function trouble({ code, message, fix: exactFix, of }: Trouble): Html {
  const usual = fixOf(code);
  const advice = exactFix ?? (usual !== undefined && isSaid(message ?? '', usual) ? undefined : usual);
  const fix = advice === undefined ? undefined : onPage(advice, of);
  return html`${cause({ code, message, of })}${fix === undefined ? '' : html`<p class="fix"><b>Fix:</b> ${prose(fix)}</p>`}`;
}

export interface Panel {
  readonly title: string;
  readonly note?: Html | string;
  readonly more?: Html;
  readonly body: Html;
}

export function panel({ title, note, more, body }: Panel): Html {
  const id = `panel-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  return html`<section class="panel" aria-labelledby="${id}">
    <header>
      <h2 id="${id}">${title}</h2>
      ${note === undefined ? '' : html`<span class="muted small">${note}</span>`}${more === undefined ? '' : html`<span class="more">${more}</span>`}
    </header>
    ${body}
  </section>`;
}

export type Fact = readonly [string, Html | string | number | null | undefined];

/** A list of facts; those that are absent are left out. */
export function facts(entries: readonly Fact[]): Html {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return html`<dl class="facts">
    ${shown.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

export interface Table {
  /** For screen readers. */
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Html[];
  readonly empty: string;
}

export function table({ caption, columns, rows, empty }: Table): Html {
  if (rows.length === 0) return html`<p class="empty">${prose(empty)}</p>`;
  return html`<div class="scroll" role="group" aria-label="${caption}" tabindex="0">
    <table>
      <caption class="hidden-text">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(({ title, isNumber }) => html`<th scope="col" ${isNumber === true ? html` class="num"` : ''}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}
