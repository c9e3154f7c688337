/** Runs: the timeline of a subject, and the latest of all. */
import { html } from 'hono/html';

import type { LogicalRun } from '../../db/logical-runs.ts';
import { defined } from '../../domain/defined.ts';
import { counted, formatNumber } from '../../domain/counted.ts';
import { callsNote } from '../../domain/call-log.ts';
import { happenedIn } from '../../domain/happened.ts';
import type { Named } from '../../domain/advice.ts';
import { isUnderWay, type Kind } from '../../domain/run.ts';
import { cause, chip, formatDuration, panel, table, when, type Html } from './parts.ts';

/** Folders have no page. */
const subjectPaths: Readonly<Record<LogicalRun['kind'], string | undefined>> = {
  validate: '/connections',
  sync: '/syncs',
  plan: '/syncs',
  import: '/syncs',
  remove: '/syncs',
  rotate: '/rotations',
  pull: undefined,
};

/** What commands of its message are about. */
function namedBy({ kind, subjectName: name }: LogicalRun): Named | undefined {
  if (name === null || kind === 'pull') return undefined;
  return { kind: kind === 'validate' ? 'connection' : kind === 'rotate' ? 'rotation' : 'sync', name };
}

function callsOf(run: LogicalRun): Html {
  const calls = Object.entries(run.awsCalls ?? {});
  const total = calls.reduce((sum, [, count]) => sum + count, 0);
  const detail = calls.map(([operation, count]) => `${operation} ${formatNumber(count)}`).join('\n');
  const note = callsNote(run);
  return html`<td class="num" data-title="AWS calls" title="${detail}">
    ${formatNumber(total)}${note === undefined ? '' : html`<br /><span class="muted small">${note}</span>`}
  </td>`;
}

function lasted(run: LogicalRun, now: Date): string {
  const { startedAt, finishedAt } = run;
  return formatDuration(((isUnderWay(run) ? undefined : finishedAt) ?? now).getTime() - startedAt.getTime());
}

function slicesOf({ slices }: LogicalRun): Html {
  if (slices.length === 0) return html``;
  const ids = slices.map(({ id }) => id).join('\n');
  return html`<br /><span class="muted small" title="${ids}">in ${counted(slices.length, 'slice')}</span>`;
}

const queueOfKind: Readonly<Record<LogicalRun['kind'], Kind>> = {
  validate: 'validate',
  sync: 'sync',
  plan: 'sync',
  import: 'sync',
  remove: 'sync',
  pull: 'sync',
  rotate: 'rotate',
};

/** To the job on the board; there it is kept for a while only. */
function jobLink({ kind, jobId }: LogicalRun): Html {
  if (jobId === null) return html`${kind}`;
  return html`<a href="/board/queue/${queueOfKind[kind]}/${encodeURIComponent(jobId)}">${kind}</a>`;
}

function subjectLink({ kind, subjectId, subjectName }: LogicalRun): Html {
  const path = subjectPaths[kind];
  const name = subjectName ?? 'deleted';
  if (path === undefined) return html`<span class="name">${name}</span>`;
  return html`<a class="name" href="${path}/${subjectId}">${name}</a>`;
}

/** The advice of other codes is shown with the subject; a defect is found by its run. */
function defectAdvice({ id, errorCode }: LogicalRun): Html {
  if (errorCode !== 'BUG_UNEXPECTED') return html``;
  return html`<p class="fix"><b>Fix:</b> find run <code>${id}</code> in the worker’s log, and report it.</p>`;
}

function runRow(run: LogicalRun, { now, hasSubject }: Pick<RunTable, 'now' | 'hasSubject'>): Html {
  const subject = html`<td class="wide">${subjectLink(run)}<br /><span class="muted small">${run.orgId}</span></td>`;
  return html`<tr>
    <td class="nowrap">${when(run.startedAt, now)}</td>
    <td>${chip(run.status)}</td>
    <td>
      ${jobLink(run)}${run.attempt > 1 ? html` <br /><span class="muted small">attempt ${run.attempt}</span>` : ''}
    </td>
    ${hasSubject === true ? subject : ''}
    <td class="wide">
      ${happenedIn(run)}${cause({ code: run.errorCode, message: run.errorMessage, of: namedBy(run) })}${defectAdvice(run)}
    </td>
    <td>
      ${run.reason}${run.requestedBy === null ? '' : html` <br /><span class="muted small">${run.requestedBy}</span>`}
    </td>
    <td class="num" data-title="took">${lasted(run, now)}${slicesOf(run)}</td>
    ${callsOf(run)}
  </tr>`;
}

export interface RunTable {
  readonly title: string;
  readonly runs: readonly LogicalRun[];
  readonly now: Date;
  readonly hasSubject?: boolean;
  readonly more?: Html;
}

export function runPanel({ title, runs, now, hasSubject = false, more }: RunTable): Html {
  const subject = hasSubject ? [{ title: 'Subject' }] : [];
  const columns = [
    { title: 'Started' },
    { title: 'Result' },
    { title: 'Kind' },
    ...subject,
    { title: 'What happened' },
    { title: 'Reason' },
    { title: 'Took', isNumber: true },
    { title: 'AWS calls', isNumber: true },
  ];
  const body = table({
    caption: title,
    columns,
    rows: runs.map((run) => runRow(run, { now, hasSubject })),
    empty: 'Nothing has run yet.',
  });
  return panel({ title, body, ...defined({ more }) });
}
