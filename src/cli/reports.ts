/** Rows as readable reports. */
import { isUnderWay } from '../domain/run.ts';
import type { Check } from '../domain/connection/checks.ts';
import { callsNote } from '../domain/call-log.ts';
import type { Named } from '../domain/advice.ts';
import { counted, describeCounts, formatNumber } from '../domain/counted.ts';
import { describeProgress } from '../domain/progress.ts';
import { inFlags } from './flags.ts';
import { fields, indent, table, upcoming } from './output.ts';
import type { Connection } from '../client/types/connection.ts';
import type { Rotation } from '../client/types/rotation.ts';
import type { RunRecord } from '../client/types/run.ts';
import type { LeftBehind } from '../domain/sync/deletion.ts';

const marks: Readonly<Record<Check['verdict'], string>> = { pass: '✓', warn: '!', fail: '✗', unknown: '?' };

export function describeConnection(
  connection: Connection,
  dependents: readonly { kind: string; name: string }[],
): string {
  const of = { kind: 'connection', name: connection.name } as const;
  const head = fields([
    ['connection', connection.name],
    ['id', connection.id],
    ['method', connection.method],
    ['role', connection.roleArn],
    ['external ID', connection.externalId],
    ['access key', connection.accessKeyId],
    ['narrowed', connection.method === 'access-key' && connection.narrowAccessKey ? 'where the checks say so' : null],
    ['new credentials', describeCandidate(connection.candidate, of)],
    ['external ID exception', describeException(connection.externalIdException)],
    ['status', stateOf(connection.status, connection.statusMessage, of)],
    ['account', connection.accountId],
    ['principal', connection.principalArn],
    ['validated', connection.lastValidatedAt],
    ['next validation', upcoming(connection.nextDueAt)],
    ['used by', dependents.map((one) => `${one.kind} ${one.name}`).join(', ')],
  ]);
  const note =
    connection.method === 'access-key' && !connection.narrowAccessKey
      ? `\nEvery sync has all permissions of the access key’s user. To narrow them: keyferry connection update ${connection.name} --narrow-access-key`
      : '';
  const checks = connection.checks.map((check) => describeCheck(check, of)).join('\n');
  return `${head}${note}${checks === '' ? '' : `\n\nchecks\n${indent(checks)}`}`;
}

function describeCandidate(candidate: Connection['candidate'], of: Named): string | null {
  if (candidate === null) return null;
  const what = candidate.roleArn ?? candidate.accessKeyId ?? '';
  const { refusal } = candidate;
  return refusal === undefined
    ? `${what} (waits for a validation)`
    : `${what} (refused: ${inFlags(refusal.message, of)})`;
}

function describeException(exception: Connection['externalIdException']): string | null {
  if (exception === null) return null;
  return `${exception.reason} (${exception.allowedBy ?? 'operator'}, ${exception.allowedAt}, for ${exception.roleArn})`;
}

export function describeCheck(check: Check, of?: Named): string {
  const title = `${marks[check.verdict]} ${check.name}${check.subject === undefined ? '' : ` ${check.subject}`}: ${check.detail}`;
  if (check.fix === undefined || check.verdict === 'pass') return title;
  const policy = check.fix.policy === undefined ? '' : `\n${indent(JSON.stringify(check.fix.policy, null, 2), '    ')}`;
  return `${title}\n    → ${inFlags(check.fix.advice, of)}${policy}`;
}

export function describeRun(run: RunRecord, of?: Named): string {
  const calls = Object.entries(run.awsCalls ?? {})
    .map(([operation, count]) => `${operation} ${String(count)}`)
    .join(', ');
  return fields([
    [run.kind, stateOf(run.status, run.errorMessage, of)],
    ['progress', isUnderWay(run) && run.progress !== null ? describeProgress(run.progress) : null],
    ['changes', describeCounts(run.counts)],
    ['AWS calls', withNote(calls === '' ? 'none' : calls, callsNote(run))],
    ['run', run.id],
    ...describeFindings(run.result, of),
  ]);
}

/** The state and its reason, whose commands name the object. */
export function stateOf(status: string, message: string | null, of: Named | undefined): string {
  if (!message) return status;
  return `${status}: ${inFlags(message, of)}`;
}

const withNote = (text: string, note: string | undefined) => (note === undefined ? text : `${text} (${note})`);

/** What a check, an import or a removal found out; any of it may be absent. */
interface Findings {
  readonly drift?: readonly { readonly remoteName: string; readonly detail: string }[];
  readonly tagsCheckedSince?: string | null;
  readonly notLookedAt?: number;
  readonly isLookDenied?: boolean;
  readonly imported?: readonly string[];
  readonly kept?: readonly string[];
  readonly managed?: readonly string[];
  readonly unreadable?: readonly string[];
  readonly refused?: readonly string[];
  readonly others?: readonly string[];
  readonly leftBehind?: readonly LeftBehind[];
  /** Of a policy, for a run that lacks permissions. */
  readonly statements?: readonly unknown[];
}

function describeFindings(result: unknown, of: Named | undefined): readonly (readonly [string, string | undefined])[] {
  const found = (result ?? {}) as Findings;
  const tags = found.tagsCheckedSince === null ? 'not all tags were looked at yet' : found.tagsCheckedSince;
  return [
    ['drifted', list(found.drift?.map(({ remoteName, detail }) => `${remoteName} ${inFlags(detail, of)}`))],
    ['all tags seen since', tags],
    ['not looked at', describeUnseen(found)],
    ['imported', list(found.imported)],
    ['kept', list(found.kept)],
    ['left to rotations', list(found.managed)],
    ['nothing to import in', list(found.unreadable)],
    ['keys that no secret may have', list(found.refused)],
    ['written by others', list(found.others)],
    ['stays at AWS', list(found.leftBehind?.map(describeLeft))],
    ['add to its policy', found.statements && JSON.stringify(found.statements)],
  ];
}

function describeUnseen({ notLookedAt, isLookDenied }: Findings): string | undefined {
  if (isLookDenied === true)
    return 'AWS denied the drift check; only changes made in keyferry were written. `keyferry policy` prints the permissions';
  return notLookedAt === undefined ? undefined : `${String(notLookedAt)} written in the last ten minutes`;
}

const describeLeft = ({ remoteName, accountId, region }: LeftBehind): string =>
  `${remoteName} (${accountId}, ${region})`;

export function describeDeletion(name: string, leftBehind: readonly LeftBehind[]): string {
  if (leftBehind.length === 0) return `Deleted ${name}.`;
  return [`Deleted ${name}. These objects stay at AWS:`, ...leftBehind.map((one) => `  ${describeLeft(one)}`)].join(
    '\n',
  );
}

export function describeRotation(rotation: Rotation): string {
  return fields([
    ['rotation', rotation.name],
    ['id', rotation.id],
    ['status', stateOf(rotation.rotationStatus, rotation.statusMessage, { kind: 'rotation', name: rotation.name })],
    ['phase', rotation.phase],
    ['IAM user', rotation.userName],
    ['active key', rotation.activeAccessKeyId],
    ['every', counted(rotation.rotationIntervalDays, 'day')],
    ['rotated', rotation.lastRotatedAt],
    ['next rotation', upcoming(rotation.nextRotationAt, rotation)],
    ['paused', rotation.pausedAt],
    ['next step', upcoming(rotation.nextDueAt)],
  ]);
}

const SHOWN = 20;

function list(items: readonly string[] = []): string | undefined {
  if (items.length === 0) return undefined;
  const more = items.length > SHOWN ? ` and ${String(items.length - SHOWN)} more (--json shows all)` : '';
  return `${items.slice(0, SHOWN).join(', ')}${more}`;
}

interface PlanChange {
  readonly action: string;
  readonly key: string;
  readonly remoteName: string;
  readonly reason?: string;
}

export interface PlanDocument {
  readonly changes: readonly PlanChange[];
  readonly unchanged: number;
  readonly blockedBy?: { readonly message: string };
}

/** A reader of the plan need not be referred to it. */
const PLAN_ADVICE = 'Look at `keyferry sync plan`; if meant';

export function describePlan(plan: PlanDocument, of: Named): string {
  const changes = counted(plan.changes.length, 'change');
  const blocked = plan.blockedBy
    ? `\nblocked: ${inFlags(plan.blockedBy.message.replace(PLAN_ADVICE, 'If meant'), of)}`
    : '';
  const summary = `${changes}, ${formatNumber(plan.unchanged)} unchanged${blocked}`;
  if (plan.changes.length === 0) return summary;
  const rows = plan.changes.map((change) => [change.action, change.key, change.remoteName, change.reason]);
  return `${table(['ACTION', 'KEY', 'REMOTE NAME', 'REASON'], rows)}\n${summary}`;
}
