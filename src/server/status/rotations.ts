/** The list of rotations, and one with its phase, its keys, its steps and its runs. */
import { html } from 'hono/html';

import type { LogicalRun } from '../../db/logical-runs.ts';
import type { KeyStatus, Page, RotationStepRow } from '../../db/status/details.ts';
import type { RotationStatus } from '../../db/status/queries.ts';
import { counted } from '../../domain/counted.ts';
import { rotationPhases } from '../../domain/rotation/rotation.ts';
import { pages, tools, type ListRequest } from './list-query.ts';
import { type FormToken, rotationOrders } from './order-forms.ts';
import { chip, facts, panel, prose, table, trouble, upcoming, when, type Html, type Trouble } from './parts.ts';
import { runPanel } from './runs.ts';

export const rotationStatuses = ['failed', 'blocked', 'running', 'pending', 'succeeded', 'paused'];

const phaseMeanings: Readonly<Record<string, string>> = {
  idle: 'One key, nothing to do until the next rotation.',
  creating: 'A second key is being made.',
  verifying: 'The new key is being tried until AWS accepts it everywhere.',
  publishing: 'The new key is in the folder; dependent syncs are writing it. Both keys work.',
  quiet: 'Both keys work; the old one must show no use before it is switched off.',
  deactivating: 'The old key is being switched off.',
  hold: 'The old key is off and can still be switched on again with one command.',
  deleting: 'The old key is being deleted.',
};

function rotationRow(rotation: RotationStatus, now: Date): Html {
  const isWell = rotation.rotationStatus === 'succeeded';
  return html`<tr>
    <td class="wide">
      <a class="name" href="/rotations/${rotation.id}">${rotation.name}</a
      >${rotation.pausedAt === null ? '' : html` <span class="chip">paused</span>`}<br /><a
        class="muted small"
        href="/rotations?org=${encodeURIComponent(rotation.orgId)}"
        >${rotation.orgId}</a
      >
    </td>
    <td>${chip(rotation.rotationStatus)}</td>
    <td data-title="phase">${rotation.phase}</td>
    <td class="wide">
      ${rotation.userName}<br /><span class="muted small">${rotation.activeAccessKeyId ?? 'no key yet'}</span
      >${isWell ? '' : trouble(troubleOf(rotation))}
    </td>
    <td class="nowrap" data-title="rotated">${when(rotation.lastRotatedAt, now)}</td>
    <td class="nowrap" data-title="next">${upcoming(rotation.nextDueAt ?? nextRotationOf(rotation, now), now)}</td>
  </tr>`;
}

export function rotationsContent(request: ListRequest, { rows, total }: Page<RotationStatus>, now: Date): Html {
  const columns = ['Name', 'State', 'Phase', 'IAM user', 'Last rotated', 'Next'].map((title) => ({ title }));
  const empty =
    request.search === undefined && request.status === undefined
      ? 'There is no rotation yet. Make one with `keyferry rotation create`.'
      : 'No rotation matches.';
  return html`<header><h1>Rotations</h1></header>
    <section class="panel" aria-label="Rotations">
      ${tools(request, rotationStatuses)}
      ${table({ caption: 'Rotations', columns, rows: rows.map((row) => rotationRow(row, now)), empty })}
      ${pages(request, total)}
    </section>`;
}

/** Null once it has begun, and while something keeps it from beginning: its status says what. */
function nextRotationOf({ nextRotationAt }: RotationStatus, now: Date): Date | null {
  return nextRotationAt !== null && nextRotationAt > now ? nextRotationAt : null;
}

function troubleOf(rotation: RotationStatus): Trouble {
  return { code: rotation.statusCode, message: rotation.statusMessage, of: { kind: 'rotation', name: rotation.name } };
}

export interface RotationDetail {
  readonly rotation: RotationStatus;
  readonly keys: readonly KeyStatus[];
  readonly steps: readonly RotationStepRow[];
  readonly runs: readonly LogicalRun[];
  readonly now: Date;
  readonly token: FormToken;
}

function meaningOf({ phase, activeAccessKeyId }: RotationStatus): string {
  if (phase === 'idle' && activeAccessKeyId === null) return 'No key yet: the first rotation makes one.';
  return phaseMeanings[phase] ?? '';
}

function phaseRail(rotation: RotationStatus, now: Date): Html {
  const { phase, phaseEnteredAt } = rotation;
  const current = rotationPhases.findIndex((one) => one === phase);
  const items = rotationPhases.map((one, index) => {
    if (index === current) return html`<li aria-current="step"><span>${one}</span></li>`;
    return index < current ? html`<li class="past"><span>${one}</span></li>` : html`<li><span>${one}</span></li>`;
  });
  return panel({
    title: 'Phase',
    note: html`entered ${when(phaseEnteredAt, now)}`,
    body: html`<div class="body">
      <ol class="phases">
        ${items}
      </ol>
      <p class="why muted">${meaningOf(rotation)}</p>
    </div>`,
  });
}

function keysPanel(keys: readonly KeyStatus[], now: Date): Html {
  const columns = ['Key', 'State', 'Made', 'Last used', 'Retires'].map((title) => ({ title }));
  const rows = keys.map(
    (key) =>
      html`<tr>
        <td class="mono">${key.accessKeyId}</td>
        <td>${chip(key.state)}</td>
        <td class="nowrap" data-title="made">${when(key.createdAt, now)}</td>
        <td class="nowrap" data-title="used">${when(key.lastUsedAt, now)}</td>
        <td class="nowrap" data-title="retires">${when(key.retireAfter, now)}</td>
      </tr>`,
  );
  return panel({
    title: 'Access keys',
    body: table({ caption: 'Access keys', columns, rows, empty: 'No key has been made yet.' }),
  });
}

function stepsPanel(steps: readonly RotationStepRow[], now: Date): Html {
  if (steps.length === 0) return html``;
  const items = steps.map(
    (step) =>
      html`<li>
        <span class="muted nowrap">${when(step.at, now)}</span
        ><span
          ><b>${step.phase}</b>
          ${step.step}${step.accessKeyId === null ? '' : html` <code>${step.accessKeyId}</code>`}${step.detail === null ? '' : html`<br /><span class="muted">${prose(step.detail)}</span>`}</span
        >
      </li>`,
  );
  return panel({
    title: 'Timeline',
    body: html`<ol class="steps">
      ${items}
    </ol>`,
  });
}

function factsPanel(rotation: RotationStatus, now: Date): Html {
  const { hours, minutes } = rotation.rotateAtUtc;
  const at = `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')} UTC`;
  return panel({
    title: 'Rotation',
    body: html`<div class="body">
      ${facts([
        ['IAM user', html`<code>${rotation.userName}</code>`],
        ['Account', rotation.accountId],
        ['Active key', rotation.activeAccessKeyId === null ? null : html`<code>${rotation.activeAccessKeyId}</code>`],
        ['Into', `${rotation.folder.projectId} / ${rotation.folder.environment} ${rotation.folder.secretPath}`],
        [
          'As',
          html`<code>${rotation.secretsMapping.accessKeyId}</code>,
            <code>${rotation.secretsMapping.secretAccessKey}</code>`,
        ],
        ['Connection', html`<a href="/connections/${rotation.connectionId}">${rotation.connectionName}</a>`],
        ['Every', `${counted(rotation.rotationIntervalDays, 'day')} at ${at}`],
        ['Last rotated', when(rotation.lastRotatedAt, now)],
        ['Next rotation', when(nextRotationOf(rotation, now), now)],
        ['Next step', upcoming(rotation.nextDueAt, now)],
        [
          'Automatic',
          rotation.pausedAt === null
            ? rotation.isAutoRotationEnabled
              ? 'yes'
              : 'no'
            : html`paused ${when(rotation.pausedAt, now)}`,
        ],
        ['Description', rotation.description],
        ['Id', html`<code>${rotation.id}</code>`],
      ])}
    </div>`,
  });
}

export function rotationContent({ rotation, keys, steps, runs, now, token }: RotationDetail): Html {
  const hasTrouble =
    rotation.rotationStatus !== 'succeeded' && (rotation.statusCode !== null || rotation.statusMessage !== null);
  return html`<header>
      <h1>${rotation.name}</h1>
      ${chip(rotation.rotationStatus)}
      <p class="sub">Rotation of ${rotation.orgId} for IAM user ${rotation.userName}</p>
    </header>
    ${hasTrouble ? html`<div class="notice bad">${trouble(troubleOf(rotation))}</div>` : ''}
    ${rotationOrders(rotation, token)} ${phaseRail(rotation, now)}
    <div class="grid">${factsPanel(rotation, now)}${keysPanel(keys, now)}</div>
    ${stepsPanel(steps, now)} ${runPanel({ title: 'Runs', runs, now })}`;
}
