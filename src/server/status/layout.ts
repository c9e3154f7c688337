/** The frame of every status page, and its content policy. */
import { html, raw } from 'hono/html';
import { createHash } from 'node:crypto';

import { statusPolicy } from '../headers.ts';
import { formatMoment, type Html } from './parts.ts';
import { script } from './script.ts';
import { style } from './style.ts';

export type Section = 'overview' | 'connections' | 'syncs' | 'rotations' | 'runs';

export interface Frame {
  readonly title: string;
  readonly section: Section | undefined;
  readonly now: Date;
  readonly content: Html;
  /** How many subjects need a person; announced to screen readers when it changes. */
  readonly problems?: number;
  /** The result of an order, above everything else. */
  readonly notice?: Html;
  /**
   * Seconds until the page reloads; `none` where a person fills in a form. Default: 10 with
   * JavaScript; without, 30, and never less than 5.
   */
  readonly refresh?: number | 'none';
  /**
   * It asks for text. Without JavaScript it does not reload then, which would clear half-typed
   * text.
   */
  readonly asksForText?: boolean;
}

const links: readonly (readonly [Section, string, string])[] = [
  ['overview', '/', 'Overview'],
  ['connections', '/connections', 'Connections'],
  ['syncs', '/syncs', 'Syncs'],
  ['rotations', '/rotations', 'Rotations'],
  ['runs', '/runs', 'Runs'],
];

const hash = (text: string): string => `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;

export const STATUS_POLICY = statusPolicy({ style: hash(style), script: hash(script) });

const styleElement = raw(`<style>${style}</style>`);
const scriptElement = raw(`<script>${script}</script>`);
/** A boat under a key's bow. */
const mark = raw(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="12" cy="5.5" r="3"/><path d="M12 8.5V16M12 12h3"/><path d="M3 16h18l-2.2 4.2a1.5 1.5 0 0 1-1.3.8H6.5a1.5 1.5 0 0 1-1.3-.8z"/></svg>',
);

/** A reload closes what was opened: this is the time to read an order and to confirm it. */
const LEAST_RELOAD_SECONDS = 5;

function reload({ refresh = 30, asksForText = false }: Pick<Frame, 'refresh' | 'asksForText'>): Html {
  if (refresh === 'none' || asksForText) return html``;
  return html`<noscript><meta http-equiv="refresh" content="${Math.max(refresh, LEAST_RELOAD_SECONDS)}" /></noscript>`;
}

/** In the place of the reload. */
function reloadNote({ refresh, asksForText = false }: Frame): Html {
  if (refresh === 'none' || !asksForText) return html``;
  return html`<noscript
    ><p class="muted small">
      This page asks for input, so it does not reload itself. <a href="">Reload it</a>
    </p></noscript
  >`;
}

/** For the script. */
function mainData({ problems, refresh }: Frame): Html {
  return html`${problems === undefined ? '' : html` data-problems="${problems}"`}${refresh === undefined ? '' : html` data-refresh="${refresh}"`}`;
}

export function page(frame: Frame): Html {
  const { title, section, now, content, notice } = frame;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · keyferry</title>
        <link rel="icon" href="data:," />
        ${reload(frame)} ${styleElement}
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <header class="bar">
          <div>
            <a class="brand" href="/">${mark}keyferry</a>
            <nav aria-label="Sections">
              <ul>
                ${links.map(([name, href, text]) => html`<li><a href="${href}" ${name === section ? html` aria-current="page"` : ''}>${text}</a></li>`)}
                <li><a href="/board">Queues</a></li>
              </ul>
            </nav>
            <span class="asof">as of <time datetime="${now.toISOString()}">${formatMoment(now)}</time></span>
          </div>
        </header>
        <p class="lost" id="lost" role="alert" hidden>
          The server does not answer. What you see is the last known state.
        </p>
        <p class="hidden-text" id="news" role="status"></p>
        <main id="content" ${mainData(frame)}>${notice ?? ''}${reloadNote(frame)}${content}</main>
        <footer>keyferry shows names, states and ids, never a secret value. <a href="/api">API</a></footer>
        ${scriptElement}
      </body>
    </html>`;
}
