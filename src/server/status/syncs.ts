/** The list of syncs, and one with what it writes, its plan, its entries and its runs. */
import { html } from 'hono/html';
import { counted, formatNumber } from '../../domain/counted.ts';
import { z } from 'zod';

import type { LogicalRun } from '../../db/logical-runs.ts';
import { shownState } from '../../domain/sync/ledger.ts';
import type { EntryStatus, Page } from '../../db/status/details.ts';
import type { SyncStatus } from '../../db/status/queries.ts';
import { destinations, kindOf } from '../../domain/destinations/registry.ts';
import { describeProgress } from '../../domain/progress.ts';
import { isUnderWay } from '../../domain/run.ts';
import { pages, tools, type ListRequest } from './list-query.ts';
import { confirmationForm, type FormToken, syncOrders } from './order-forms.ts';
import { statementToAdd } from './checks.ts';
import { chip, facts, panel, table, trouble, upcoming, when, type Fact, type Html, type Trouble } from './parts.ts';
import { runPanel } from './runs.ts';

export const syncStatuses = [
  ...['failed', 'blocked', 'partial', 'drifted', 'running', 'pending', 'succeeded', 'paused', 'cancelled'],
];

/** Where it writes, in a line. */
function targetOf(sync: SyncStatus): string {
  const { destination, destinationConfig } = sync;
  const { title } = destinations[destination];
  return `${title} ${destinationConfig.region} ${kindOf(sync).describe(destinationConfig)}`;
}

function sourceOf({ folder }: SyncStatus): string {
  return `${folder.projectId} / ${folder.environment} ${folder.secretPath}`;
}

function driftOf({ drift }: SyncStatus): Html {
  return drift === 'drifted'
    ? chip('drifted')
    : html`<span class="muted">${drift === 'none' ? 'none' : 'not checked'}</span>`;
}

function syncRow(sync: SyncStatus, now: Date): Html {
  const isWell = sync.syncStatus === 'succeeded';
  return html`<tr>
    <td class="wide">
      <a class="name" href="/syncs/${sync.id}">${sync.name}</a
      >${sync.pausedAt === null ? '' : html` <span class="chip">paused</span>`}<br /><a
        class="muted small"
        href="/syncs?org=${encodeURIComponent(sync.orgId)}"
        >${sync.orgId}</a
      >
    </td>
    <td>${chip(sync.syncStatus)}</td>
    <td class="wide">
      ${targetOf(sync)}<br /><span class="muted small">from ${sourceOf(sync)}</span
      >${isWell ? '' : trouble(troubleOf(sync))}
    </td>
    <td class="nowrap" data-title="drift">${driftOf(sync)}</td>
    <td class="nowrap" data-title="synced">${when(sync.lastSyncedAt, now)}</td>
    <td class="nowrap" data-title="next">${upcoming(sync.nextDueAt, now)}</td>
  </tr>`;
}

export function syncsContent(request: ListRequest, { rows, total }: Page<SyncStatus>, now: Date): Html {
  const columns = ['Name', 'State', 'From and to', 'Drift', 'Last synced', 'Next'].map((title) => ({ title }));
  const empty =
    request.search === undefined && request.status === undefined
      ? 'There is no sync yet. Make one with `keyferry sync create`.'
      : 'No sync matches.';
  return html`<header><h1>Syncs</h1></header>
    <section class="panel" aria-label="Syncs">
      ${tools(request, syncStatuses)}
      ${table({ caption: 'Syncs', columns, rows: rows.map((row) => syncRow(row, now)), empty })}
      ${pages(request, total)}
    </section>`;
}

function troubleOf(sync: SyncStatus): Trouble {
  return { code: sync.statusCode, message: sync.statusMessage, of: { kind: 'sync', name: sync.name } };
}

export interface SyncDetail {
  readonly sync: SyncStatus;
  readonly entries: Page<EntryStatus>;
  readonly plan: LogicalRun | undefined;
  readonly runs: readonly LogicalRun[];
  readonly now: Date;
  readonly token: FormToken;
  /** A run is under way or about to begin. */
  readonly isBusy: boolean;
}

/** A plan as the sync processor leaves it with its run; names and reasons only. */
const planShape = z.object({
  changes: z.array(
    z.object({
      action: z.string(),
      key: z.string().nullish(),
      remoteName: z.string().nullish(),
      reason: z.string().nullish(),
    }),
  ),
  unchanged: z.number().optional(),
  blockedBy: z.unknown().optional(),
});

const PLAN_ROWS = 200;

function planPanel(plan: LogicalRun | undefined, now: Date): Html {
  const parsed = planShape.safeParse(plan?.result);
  if (plan === undefined || !parsed.success) return html``;
  const { changes, unchanged } = parsed.data;
  const columns = ['Change', 'Secret', 'Name at AWS', 'Why'].map((title) => ({ title }));
  const rows = changes.slice(0, PLAN_ROWS).map(
    (change) =>
      html`<tr>
        <td><b>${change.action}</b></td>
        <td class="mono">${change.key ?? ''}</td>
        <td class="mono">${change.remoteName ?? ''}</td>
        <td class="wide">${change.reason ?? ''}</td>
      </tr>`,
  );
  const cut = changes.length > PLAN_ROWS ? `, the first ${String(PLAN_ROWS)} shown` : '';
  return panel({
    title: 'Last plan',
    note: html`${counted(changes.length, 'change')}${cut}, ${formatNumber(unchanged ?? 0)} unchanged ·
    ${when(plan.startedAt, now)}`,
    body: table({ caption: 'Last plan', columns, rows, empty: 'Nothing to change.' }),
  });
}

const lacking = z.object({ missing: z.array(z.string()), statements: z.array(z.unknown()).min(1) });

/** What a run that lacked permissions found: the statements that `keyferry policy` prints. */
function permissionsToAdd({ sync, runs }: SyncDetail): Html {
  const run = runs.find(({ kind, finishedAt }) => kind !== 'plan' && finishedAt !== null);
  const found = lacking.safeParse(run?.result);
  if (sync.statusCode !== 'AWS_ACCESS_DENIED' || !found.success) return html``;
  const { statements } = found.data;
  return html`${statements.map((statement, index) => statementToAdd(`permission-${String(index)}`, statement))}`;
}

function entryRow(entry: EntryStatus, { sync: { name }, now }: SyncDetail): Html {
  return html`<tr>
    <td>${chip(shownState(entry))}</td>
    <td class="wide mono">${entry.remoteName}</td>
    <td class="mono">${entry.key}</td>
    <td class="wide">${trouble({ code: entry.errorCode, message: entry.errorMessage, of: { kind: 'sync', name } })}</td>
    <td class="nowrap" data-title="written">${when(entry.writtenAt, now)}</td>
  </tr>`;
}

function entriesPanel(detail: SyncDetail): Html {
  const { rows, total } = detail.entries;
  const columns = ['State', 'Name at AWS', 'Secret', 'Trouble', 'Written'].map((title) => ({ title }));
  const note =
    rows.length < total
      ? `${formatNumber(total)}, trouble first, ${formatNumber(rows.length)} shown`
      : formatNumber(total);
  return panel({
    title: 'Entries',
    note,
    body: table({
      caption: 'Entries',
      columns,
      rows: rows.map((entry) => entryRow(entry, detail)),
      empty: 'This sync has written nothing yet.',
    }),
  });
}

function optionsOf(sync: SyncStatus): readonly Fact[] {
  const { syncOptions: options } = sync;
  return [
    ['Key schema', options.keySchema === undefined ? null : html`<code>${options.keySchema}</code>`],
    ['Folders below', options.recursive === true ? 'included' : null],
    ['Only', options.include?.join(', ') ?? null],
    ['Without', options.exclude?.join(', ') ?? null],
    ['Initial sync', options.initialSyncBehavior],
    ['On existing', options.onExisting],
    ['Drift', options.drift],
    ['Deletes', options.disableSecretDeletion ? 'never' : 'what it wrote'],
    ['KMS key', options.keyId === undefined ? null : html`<code>${options.keyId}</code>`],
    [
      'Tags',
      options.tags === undefined || options.tags.length === 0
        ? null
        : options.tags.map((tag) => `${tag.key}=${tag.value}`).join(', '),
    ],
    ['Tier', kindOf(sync).settings.hasTier ? options.tier : null],
    ['Replicas', replicasOf(options)],
  ];
}

/** With the KMS key of each that has one. */
function replicasOf({ replicaRegions = [], replicaKeys = {} }: SyncStatus['syncOptions']): Html | string | null {
  if (replicaRegions.length === 0) return null;
  return replicaRegions.map((region) => [region, replicaKeys[region] ?? []].flat().join('=')).join(', ');
}

function behind({ folder, syncedRevision }: SyncStatus): string {
  if (syncedRevision === null) return `nothing yet of revision ${String(folder.revision)}`;
  return syncedRevision >= folder.revision
    ? `revision ${String(syncedRevision)}, up to date`
    : `revision ${String(syncedRevision)} of ${String(folder.revision)}`;
}

/** Of the run under way, or of the one that a pause interrupted. */
function progressOf(runs: readonly LogicalRun[]): Html | null {
  const run = runs.find(({ kind }) => kind !== 'plan');
  if (run === undefined || !isUnderWay(run) || run.progress === null) return null;
  const { done, total } = run.progress;
  return html`<progress max="${total}" value="${done}" aria-label="Progress"></progress>
    ${describeProgress(run.progress)}`;
}

function factsPanel({ sync, runs, now }: SyncDetail): Html {
  return panel({
    title: 'Sync',
    body: html`<div class="body">
      ${facts([
        ['To', targetOf(sync)],
        ['From', sourceOf(sync)],
        ['Connection', html`<a href="/connections/${sync.connectionId}">${sync.connectionName}</a>`],
        ['Progress', progressOf(runs)],
        ['Synced', behind(sync)],
        ['Last synced', when(sync.lastSyncedAt, now)],
        ['Last checked', when(sync.lastCheckedAt, now)],
        ['Next due', upcoming(sync.nextDueAt, now)],
        [
          'Automatic',
          sync.pausedAt === null ? (sync.isAutoSyncEnabled ? 'yes' : 'no') : html`paused ${when(sync.pausedAt, now)}`,
        ],
        ['Description', sync.description],
        ['Id', html`<code>${sync.id}</code>`],
        ['Created', when(sync.createdAt, now)],
      ])}
    </div>`,
  });
}

export function syncContent(detail: SyncDetail): Html {
  const { sync, plan, runs, now, token, isBusy } = detail;
  const hasTrouble = sync.syncStatus !== 'succeeded' && (sync.statusCode !== null || sync.statusMessage !== null);
  const tone = sync.syncStatus === 'partial' ? 'warn' : 'bad';
  return html`<header>
      <h1>${sync.name}</h1>
      ${chip(sync.syncStatus)}${sync.drift === 'drifted' ? chip('drifted') : ''}
      <p class="sub">Sync of ${sync.orgId} to ${targetOf(sync)}</p>
    </header>
    ${hasTrouble ? html`<div class="notice ${tone}">${trouble(troubleOf(sync))}${permissionsToAdd(detail)}</div>` : ''}
    ${syncOrders({ sync, token, isBusy })} ${confirmationForm(sync, token)}
    <div class="grid">
      ${factsPanel(detail)}${panel({ title: 'Options', body: html`<div class="body">${facts(optionsOf(sync))}</div>` })}
    </div>
    ${planPanel(plan, now)} ${runPanel({ title: 'Runs', runs, now })} ${entriesPanel(detail)}`;
}
