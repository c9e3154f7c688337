/** The checks of a connection: of its last validation, or those that are made so far. */
import { html } from 'hono/html';

import type { LogicalRun } from '../../db/logical-runs.ts';
import type { Check } from '../../domain/connection/checks.ts';
import { counted } from '../../domain/counted.ts';
import { chip, fixOf, panel, prose, table, type Html } from './parts.ts';

export interface Checked {
  readonly connection: { readonly checks: readonly Check[] };
  readonly runs: readonly LogicalRun[];
  /** A validation is under way or about to begin. */
  readonly isBusy: boolean;
}

/** Of a policy, to copy. */
export function statementToAdd(id: string, statement: unknown): Html {
  return html`<details id="${id}">
    <summary>Statement to add</summary>
    <pre tabindex="0">${JSON.stringify(statement, null, 2)}</pre>
  </details>`;
}

function checkRow(check: Check, index: number): Html {
  const fix = check.fix?.advice ?? (check.verdict === 'fail' ? fixOf(check.code) : undefined);
  const policy = check.fix?.policy;
  return html`<tr>
    <td>${chip(check.verdict)}</td>
    <td class="nowrap">${check.name}${check.subject === undefined ? '' : html`<br /><code>${check.subject}</code>`}</td>
    <td class="wide">
      <p>${prose(check.detail)}</p>
      ${fix === undefined ? '' : html`<p class="fix"><b>Fix:</b> ${prose(fix)}</p>`}
      ${policy === undefined ? '' : statementToAdd(`policy-${String(index)}`, policy)}
    </td>
  </tr>`;
}

/** Of a validation under way: those that are made, while more follow. */
function checksSoFar(runs: readonly LogicalRun[]): readonly Check[] | undefined {
  const run = runs.find(({ status, kind }) => kind === 'validate' && status === 'running');
  const { checks } = (run?.result ?? {}) as { readonly checks?: readonly Check[] };
  return checks;
}

function checksNote(checks: readonly Check[]): string {
  if (checks.length === 0) return '';
  return `${String(checks.filter((check) => check.verdict === 'pass').length)} of ${String(checks.length)} pass`;
}

export function checksPanel({ connection, runs, isBusy }: Checked): Html {
  const soFar = checksSoFar(runs);
  const checks = soFar ?? connection.checks;
  const order: Readonly<Record<Check['verdict'], number>> = { fail: 0, warn: 1, unknown: 2, pass: 3 };
  const sorted = [...checks].sort((a, b) => order[a.verdict] - order[b.verdict]);
  const columns = ['Verdict', 'Check', 'Finding'].map((title) => ({ title }));
  return panel({
    title: 'Checks',
    note: soFar === undefined ? checksNote(checks) : `${counted(soFar.length, 'check')} made, more follow`,
    body: table({
      caption: 'Checks',
      columns,
      rows: sorted.map(checkRow),
      empty: isBusy ? 'A worker checks it now; this page shows what it finds.' : 'Not validated yet.',
    }),
  });
}
