/** The list of connections, and one with its checks, what depends on it and its runs. */
import { html } from 'hono/html';

import type { LogicalRun } from '../../db/logical-runs.ts';
import type { Page } from '../../db/status/details.ts';
import type { ConnectionStatus, RotationStatus, SyncStatus } from '../../db/status/queries.ts';
import { pages, tools, type ListRequest } from './list-query.ts';
import { connectionOrders, type FormToken } from './order-forms.ts';
import { cause, chip, facts, panel, table, trouble, upcoming, when, type Html, type Trouble } from './parts.ts';
import { runPanel } from './runs.ts';
import { checksPanel } from './checks.ts';

export const connectionStatuses = ['invalid', 'degraded', 'pending', 'valid'];

function connectionRow(connection: ConnectionStatus, now: Date): Html {
  return html`<tr>
    <td class="wide">
      <a class="name" href="/connections/${connection.id}">${connection.name}</a><br /><a
        class="muted small"
        href="/connections?org=${encodeURIComponent(connection.orgId)}"
        >${connection.orgId}</a
      >
    </td>
    <td>${chip(connection.status)}</td>
    <td class="wide">
      ${connection.method}<br /><span class="muted small"
        >${connection.principalArn ?? connection.roleArn ?? connection.accessKeyId ?? ''}</span
      >${isWell(connection) ? '' : trouble(troubleOf(connection))}
    </td>
    <td class="mono" data-title="account">${connection.accountId ?? '–'}</td>
    <td class="nowrap" data-title="validated">${when(connection.lastValidatedAt, now)}</td>
    <td class="nowrap" data-title="next">${upcoming(connection.nextDueAt, now)}</td>
  </tr>`;
}

function isWell({ status }: ConnectionStatus): boolean {
  return status === 'valid';
}

export function connectionsContent(request: ListRequest, { rows, total }: Page<ConnectionStatus>, now: Date): Html {
  const columns = ['Name', 'State', 'Identity', 'Account', 'Validated', 'Next'].map((title) => ({ title }));
  const empty =
    request.search === undefined && request.status === undefined
      ? 'There is no connection yet. Connect an AWS account here, or with `keyferry connection create`.'
      : 'No connection matches.';
  return html`<header>
      <h1>Connections</h1>
      <a class="button primary" href="/connect">Connect an AWS account</a>
    </header>
    <section class="panel" aria-label="Connections">
      ${tools(request, connectionStatuses)}
      ${table({ caption: 'Connections', columns, rows: rows.map((row) => connectionRow(row, now)), empty })}
      ${pages(request, total)}
    </section>`;
}

function troubleOf(connection: ConnectionStatus): Trouble {
  return {
    code: connection.statusCode,
    message: connection.statusMessage,
    of: { kind: 'connection', name: connection.name },
  };
}

export interface ConnectionDetail {
  readonly connection: ConnectionStatus;
  readonly syncs: readonly SyncStatus[];
  readonly rotations: readonly RotationStatus[];
  readonly runs: readonly LogicalRun[];
  readonly now: Date;
  readonly token: FormToken;
  /** A validation is under way or about to begin. */
  readonly isBusy: boolean;
}

function factsPanel(connection: ConnectionStatus, now: Date): Html {
  return panel({
    title: 'Connection',
    body: html`<div class="body">
      ${facts([
        ['Method', connection.method],
        ['Role', connection.roleArn === null ? null : html`<code>${connection.roleArn}</code>`],
        ['External ID', connection.externalId === null ? null : html`<code>${connection.externalId}</code>`],
        ['Access key', connection.accessKeyId === null ? null : html`<code>${connection.accessKeyId}</code>`],
        ['Narrowed', connection.narrowAccessKey ? 'Where the checks say so' : null],
        ['New credentials', candidateText(connection)],
        ['External ID exception', connection.externalIdException?.reason ?? null],
        ['Account', connection.accountId],
        ['Acts as', connection.principalArn === null ? null : html`<code>${connection.principalArn}</code>`],
        ['Region', connection.region],
        ['Last validated', when(connection.lastValidatedAt, now)],
        ['Next due', upcoming(connection.nextDueAt, now)],
        ['Failures in a row', connection.consecutiveFailures === 0 ? null : connection.consecutiveFailures],
        ['Description', connection.description],
        ['Project', connection.projectId],
        ['Org', connection.orgId],
        ['Id', html`<code>${connection.id}</code>`],
        ['Created', when(connection.createdAt, now)],
      ])}
    </div>`,
  });
}

function candidateText({ candidate }: ConnectionStatus): string | null {
  if (candidate === null) return null;
  const what = candidate.roleArn ?? candidate.accessKeyId ?? '';
  return candidate.refusal === undefined
    ? `${what}, waiting for a validation`
    : `${what}, refused: ${candidate.refusal.message}`;
}

function dependentsPanel({ syncs, rotations }: ConnectionDetail): Html {
  const rows = [
    ...syncs.map(
      (sync) =>
        html`<tr>
          <td>sync</td>
          <td><a class="name" href="/syncs/${sync.id}">${sync.name}</a></td>
          <td>${chip(sync.syncStatus)}</td>
        </tr>`,
    ),
    ...rotations.map(
      (rotation) =>
        html`<tr>
          <td>rotation</td>
          <td><a class="name" href="/rotations/${rotation.id}">${rotation.name}</a></td>
          <td>${chip(rotation.rotationStatus)}</td>
        </tr>`,
    ),
  ];
  const columns = ['Kind', 'Name', 'State'].map((title) => ({ title }));
  return panel({
    title: 'Used by',
    body: table({ caption: 'Used by', columns, rows, empty: 'No sync or rotation uses it.' }),
  });
}

/**
 * Why it is not valid; what to do about it is shown with the failing check below, if there is one.
 */
function noticeOf(connection: ConnectionStatus): Html {
  const { status, statusCode: code, statusMessage: message, checks } = connection;
  if (status === 'valid' || (code === null && message === null)) return html``;
  // What is wrong now is in the checks below, as far as they are done.
  const hasFailingCheck = checks.some((check) => check.verdict === 'fail');
  return html`<div class="notice ${status === 'invalid' ? 'bad' : 'warn'}">
    ${hasFailingCheck ? cause({ code, message }) : trouble(troubleOf(connection))}
  </div>`;
}

export function connectionContent(detail: ConnectionDetail): Html {
  const { connection, runs, now, token } = detail;
  return html`<header>
      <h1>${connection.name}</h1>
      ${chip(connection.status)}
      <p class="sub">Connection of ${connection.orgId}</p>
    </header>
    ${noticeOf(connection)} ${connectionOrders(connection, token)} ${checksPanel(detail)}
    <div class="grid">${factsPanel(connection, now)}${dependentsPanel(detail)}</div>
    ${runPanel({ title: 'Validations', runs, now })}`;
}
