/**
 * The first page: how many subjects are healthy, what needs a person and what to do about it, what
 * waits, what ran last.
 */
import { html } from 'hono/html';

import type { LogicalRun } from '../../db/logical-runs.ts';
import { defined } from '../../domain/defined.ts';
import { formatNumber } from '../../domain/counted.ts';
import { guardText } from '../../domain/installation.ts';
import type { Attention, Overview } from '../../db/status/overview.ts';
import type { SeenBaseIdentity } from '../../domain/connection/base-identity.ts';
import { type Tone, toneOf } from '../../domain/tone.ts';
import { chip, panel, trouble, when, type Html } from './parts.ts';
import { runPanel } from './runs.ts';
import { identityPanel, workersPanel } from './workers.ts';

export interface OverviewContent {
  readonly overview: Overview;
  readonly attention: readonly Attention[];
  readonly runs: readonly LogicalRun[];
  readonly identities: readonly SeenBaseIdentity[];
  readonly now: Date;
}

const toneOrder: readonly Tone[] = ['ok', 'busy', 'idle', 'warn', 'bad'];

/** A bar of shares; widths are attributes, since the content policy allows no inline style. */
function shareBar(counts: readonly (readonly [string, number])[], total: number): Html {
  const sorted = [...counts].sort(([a], [b]) => toneOrder.indexOf(toneOf(a)) - toneOrder.indexOf(toneOf(b)));
  let x = 0;
  const parts = sorted.map(([status, count]) => {
    const rect = html`<rect class="fill-${toneOf(status)}" x="${x}" y="0" width="${count}" height="1" />`;
    x += count;
    return rect;
  });
  return html`<svg class="share" viewBox="0 0 ${Math.max(1, total)} 1" preserveAspectRatio="none" aria-hidden="true">
    ${parts}
  </svg>`;
}

interface Stat {
  readonly title: string;
  readonly path: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly extra?: Html;
}

function stat({ title, path, counts, extra }: Stat): Html {
  const entries = Object.entries(counts);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  const chips = entries.map(
    ([status, count]) => html`<li><a href="${path}?status=${status}">${chip(status, count)}</a></li>`,
  );
  return panel({
    title,
    body: html`<div class="body stat">
      <p class="total"><a href="${path}">${formatNumber(total)}</a></p>
      ${shareBar(entries, total)}
      ${
        total === 0
          ? html`<p class="muted">none yet</p>`
          : html`<ul>
              ${chips}${extra === undefined ? '' : html`<li>${extra}</li>`}
            </ul>`
      }
    </div>`,
  });
}

function attentionItem(item: Attention, now: Date): Html {
  const isDriftOnly = item.status === 'drifted';
  const code = isDriftOnly ? 'SYNC_DRIFTED' : item.statusCode;
  const message = isDriftOnly ? 'Objects at AWS were changed outside keyferry.' : item.statusMessage;
  return html`<li>
    <div>${chip(item.status)}</div>
    <div class="what">
      <a class="name" href="/${item.kind}s/${item.id}">${item.name}</a>
      <span class="muted small">${item.kind} · ${item.orgId}</span
      >${trouble({ code, message, fix: item.fix, of: item })}${blockedNote(item)}
    </div>
    <div class="when">${when(item.since, now)}</div>
  </li>`;
}

function blockedNote({ blocks, id }: Attention): Html {
  if (blocks === 0) return html``;
  const blocked = blocks === 1 ? '1 sync or rotation' : `${formatNumber(blocks)} syncs and rotations`;
  return html`<p class="why">It blocks <a href="/connections/${id}#panel-used-by">${blocked}</a>.</p>`;
}

function attentionPanel({ overview, attention, now }: OverviewContent): Html {
  const problems = overview.troubled;
  const shown = attention.reduce((sum, item) => sum + 1 + item.blocks, 0);
  const isCut = shown < problems;
  return panel({
    title: 'Needs attention',
    note: problems === 0 ? '' : `${formatNumber(problems)}${isCut ? `, the latest ${String(shown)} shown` : ''}`,
    body:
      attention.length === 0
        ? html`<p class="empty">Nothing. Every connection, sync and rotation is as it should be.</p>`
        : html`<ul class="trouble">
            ${attention.map((item) => attentionItem(item, now))}
          </ul>`,
  });
}

/** Absent while workers may change AWS. */
function guardPanel({ overview: { guard }, now }: OverviewContent): Html {
  if (guard === null) return html``;
  const since = guard.since === null ? '' : html` since ${when(guard.since, now)}`;
  return panel({
    title: 'This installation is guarded',
    body: html`<div class="body">
      <p>${chip('blocked')}${since}. ${guardText(guard)}</p>
      <p class="fix"><b>Fix:</b> stop every worker, then run <code>${guard.command}</code>.</p>
    </div>`,
  });
}

/** Absent while every webhook takes its events. */
function webhooksPanel({ parkedAt }: Overview): Html {
  if (parkedAt.length === 0) return html``;
  const rows = parkedAt.map(
    ({ name, orgId, parked }) =>
      html`<li>
        <div>${chip('warn', parked)}</div>
        <div class="what">
          <span class="name">${name}</span> <span class="muted small">webhook · ${orgId}</span>
          <p class="why">Its endpoint did not take these events within three days.</p>
          <p class="fix">
            <b>Fix:</b> repair the endpoint, then <code>keyferry webhook replay ${name} --org ${orgId}</code>.
          </p>
        </div>
      </li>`,
  );
  return panel({
    title: 'Events that were not delivered',
    body: html`<ul class="trouble">
      ${rows}
    </ul>`,
  });
}

/** Absent while every source is read. */
function sourcesPanel({ staleSources }: Overview): Html {
  if (staleSources.length === 0) return html``;
  const rows = staleSources.map(
    ({ orgId, projectId, environment, secretPath, statusCode, statusMessage }) =>
      html`<li>
        <div>${chip('warn')}</div>
        <div class="what">
          <span class="name">${projectId}/${environment}${secretPath}</span>
          <span class="muted small">source · ${orgId}</span>
          <p class="why">${statusMessage ?? 'No worker has read it.'} ${statusCode}</p>
          <p class="fix">
            <b>Fix:</b> look at
            <code
              >keyferry source show --project ${projectId} --env ${environment} --path ${secretPath} --org
              ${orgId}</code
            >.
          </p>
        </div>
      </li>`,
  );
  return panel({
    title: 'Sources that were not read for long',
    body: html`<ul class="trouble">
      ${rows}
    </ul>`,
  });
}

export function overviewContent(content: OverviewContent): Html {
  const { overview, runs, now } = content;
  const drifted =
    overview.drifted === 0 ? undefined : html`<a href="/syncs?status=drifted">${chip('drifted', overview.drifted)}</a>`;
  return html`<header><h1>Overview</h1></header>
    ${guardPanel(content)}
    <div class="grid">
      ${stat({ title: 'Connections', path: '/connections', counts: overview.connections })}
      ${stat({ title: 'Syncs', path: '/syncs', counts: overview.syncs, ...defined({ extra: drifted }) })}
      ${stat({ title: 'Rotations', path: '/rotations', counts: overview.rotations })}
    </div>
    ${attentionPanel(content)} ${webhooksPanel(overview)} ${sourcesPanel(overview)} ${workersPanel(overview, now)}
    ${identityPanel(content.identities, now)}
    ${runPanel({ title: 'Latest runs', runs, now, hasSubject: true, more: html`<a href="/runs">All runs</a>` })}`;
}
