/**
 * The workers: which there are, what they run, whose AWS identity they use, and what waits for
 * them.
 */
import { html } from 'hono/html';

import type { Overview } from '../../db/status/overview.ts';
import {
  baseKinds,
  describeBaseKey,
  keyAgeWarning,
  type SeenBaseIdentity,
} from '../../domain/connection/base-identity.ts';
import { formatNumber } from '../../domain/counted.ts';
import { describeRunning, stateOfWorker } from '../../domain/live-worker.ts';
import { formatSpan } from '../../domain/span.ts';
import { chip, panel, table, when, type Html } from './parts.ts';

const kindNames = { validate: 'validations', sync: 'syncs', rotate: 'rotations' } as const;

function workersState({ workers: { areRunning, lastSeenAt }, guard }: Overview, now: Date): Html {
  const seen = lastSeenAt === null ? 'never seen' : html`last seen ${when(lastSeenAt, now)}`;
  const advice =
    areRunning || guard !== null
      ? ''
      : html`<p class="fix"><b>Fix:</b> start one with <code>keyferry worker</code>.</p>`;
  return html`<div>
    <dt>workers</dt>
    <dd>${areRunning ? chip('running') : chip('silent')} <span class="muted">${seen}</span>${advice}</dd>
  </div>`;
}

/** Empty if no worker has reported itself within the hour. */
function workerTable({ workers: { workers } }: Overview, now: Date): Html {
  if (workers.length === 0) return html``;
  const rows = workers.map(
    (one) =>
      html`<tr>
        <td class="wide mono">${one.name}</td>
        <td>${chip(stateOfWorker(one, now))}</td>
        <td data-title="version">${one.version}</td>
        <td data-title="queues">${one.queues.join(', ')}</td>
        <td data-title="runs">${one.stoppedAt === null ? describeRunning(one) : '–'}</td>
        <td class="nowrap" data-title="started">${when(one.startedAt, now)}</td>
        <td class="nowrap" data-title="last seen">${when(one.stoppedAt ?? one.seenAt, now)}</td>
      </tr>`,
  );
  const columns = ['Worker', 'State', 'Version', 'Queues', 'Runs now', 'Started', 'Last seen'];
  return table({ caption: 'Workers', columns: columns.map((title) => ({ title })), rows, empty: '' });
}

export function workersPanel(overview: Overview, now: Date): Html {
  const { due } = overview;
  const parts = (['validate', 'sync', 'rotate'] as const).map((kind) => {
    const { count, oldestSeconds } = due[kind];
    const longest = count === 0 ? '' : html` <span class="muted">the longest for ${formatSpan(oldestSeconds)}</span>`;
    return html`<div>
      <dt>${kindNames[kind]}</dt>
      <dd><b>${formatNumber(count)}</b> due${longest}</dd>
    </div>`;
  });
  return panel({
    title: 'Workers and what waits for them',
    more: html`<a href="/board">Queues</a>`,
    body: html`<dl class="body row">${workersState(overview, now)}${parts}</dl>
      ${workerTable(overview, now)}`,
  });
}

/** Absent while no worker has used an identity of its own. */
export function identityPanel(identities: readonly SeenBaseIdentity[], now: Date): Html {
  if (identities.length === 0) return html``;
  const rows = identities.map((one) => {
    const warning = keyAgeWarning(one, now);
    return html`<tr>
      <td>${baseKinds[one.kind]}</td>
      <td>${one.arn}</td>
      <td>
        ${describeBaseKey(one, now)}${
          warning === undefined
            ? ''
            : html` ${chip('warn')}
                <p class="fix">${warning}</p>`
        }
      </td>
      <td data-title="first used">${when(one.firstSeenAt, now)}</td>
      <td data-title="last used">${when(one.lastSeenAt, now)}</td>
    </tr>`;
  });
  const columns = ['Source', 'Identity', 'Key', 'Since', 'Last used'].map((title) => ({ title }));
  const caption = 'AWS identities of the workers';
  return panel({ title: 'Workers’ AWS identity', body: table({ caption, columns, rows, empty: '' }) });
}
