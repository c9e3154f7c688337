/** `keyferry status`: everything of an org at a glance. */
import { createBaseIdentities } from '../db/base-identities.ts';
import { createInstallation } from '../db/installation.ts';
import { createInstallationGuard } from '../db/installation-guard.ts';
import { toLiveWorkers } from '../db/live-workers.ts';
import { baseKinds, describeBaseKey, keyAgeWarning } from '../domain/connection/base-identity.ts';
import { guardText, toGuard } from '../domain/installation.ts';
import { describeRunning, stateOfWorker, summarizeWorkers, type Workers } from '../domain/live-worker.ts';
import { formatRelative } from '../domain/span.ts';
import { toJobError } from '../errors.ts';
import type { Program } from '../main.ts';
import { saidOf } from './flags.ts';
import { table, upcoming } from './output.ts';
import type { Client } from '../client/types/client.ts';

export type Status = Awaited<ReturnType<typeof readStatus>>;

export async function readStatus(
  client: Client,
  program: Pick<Program, 'backend' | 'endpointOverrides' | 'engine' | 'stores'>,
) {
  const { db } = program.stores.database;
  const [connections, syncs, rotations, endpointOverrides, baseIdentities, installation, workers, queueFault] =
    await Promise.all([
      client.connections.list(),
      client.syncs.list(),
      client.rotations.list(),
      program.endpointOverrides(),
      createBaseIdentities(db).list(),
      createInstallation(db).get(),
      readWorkers(program),
      findQueueFault(program),
    ]);
  const queue = program.engine;
  const seen = { workers, guard: toGuard(installation), endpointOverrides, baseIdentities };
  return { org: client.orgId, queue, queueFault, ...seen, connections, syncs, rotations };
}

export async function readWorkers({ stores }: Pick<Program, 'stores'>): Promise<Workers> {
  const { db } = stores.database;
  const [{ workers, seenAt }, sessions] = await Promise.all([
    createInstallation(db).get(),
    createInstallationGuard(db).countWorkers(),
  ]);
  const { areRunning, ...seen } = summarizeWorkers(toLiveWorkers(workers), seenAt, new Date());
  // Their sessions are not shown to every role of PostgreSQL.
  return { areRunning: areRunning || sessions > 0, ...seen };
}

/** Null while the queue can be used from here; queues in PostgreSQL can whenever the rest can. */
export async function findQueueFault({ backend, engine }: Pick<Program, 'backend' | 'engine'>) {
  if (engine === 'postgres') return null;
  try {
    await (await backend()).check();
    return null;
  } catch (error) {
    const { code, operatorMessage } = toJobError(error);
    return { code, message: operatorMessage };
  }
}

export function describeStatus(status: Status, now: Date): string {
  const overrides = status.endpointOverrides
    .map(({ source, url }) => `AWS endpoint override: ${source} = ${url}\n`)
    .join('');
  return [
    `org ${status.org}, queue on ${status.queue}\n${describeWorkers(status, now)}\n${overrides}`,
    ...queueLines(status),
    ...guardLines(status),
    ...workerSection(status, now),
    ...identitySection(status, now),
    section('connections', ['NAME', 'METHOD', 'STATUS', 'ACCOUNT', 'VALIDATED', 'MESSAGE'], connectionRows(status)),
    section('syncs', ['NAME', 'DESTINATION', 'STATUS', 'DRIFT', 'REVISION', 'SYNCED', 'MESSAGE'], syncRows(status)),
    section(
      'rotations',
      ['NAME', 'IAM USER', 'STATUS', 'PHASE', 'ACTIVE KEY', 'NEXT', 'MESSAGE'],
      rotationRows(status, now),
    ),
    ...status.baseIdentities.flatMap((one) => keyAgeWarning(one, now) ?? []),
  ].join('\n');
}

function describeWorkers({ workers }: Status, now: Date): string {
  if (workers.areRunning) return 'workers are running';
  const seen =
    workers.lastSeenAt === null ? 'none was ever seen' : `last seen ${formatRelative(workers.lastSeenAt, now)}`;
  return `NO WORKER is running (${seen}): start one with \`keyferry worker\``;
}

function queueLines({ queueFault }: Status): readonly string[] {
  if (queueFault === null) return [];
  return [`QUEUE DOWN: ${queueFault.message} Work waits in PostgreSQL until the queue is back.\n`];
}

/** Empty if no worker has reported itself within the hour. */
function workerSection({ workers: { workers } }: Status, now: Date): readonly string[] {
  if (workers.length === 0) return [];
  const rows = workers.map((one) => [
    one.name,
    stateOfWorker(one, now),
    one.version,
    one.queues.join(','),
    one.stoppedAt === null ? describeRunning(one) : null,
    one.startedAt,
    one.stoppedAt ?? one.seenAt,
  ]);
  return [section('workers', ['NAME', 'STATE', 'VERSION', 'QUEUES', 'RUNS NOW', 'STARTED', 'LAST SEEN'], rows)];
}

/** Whether something waits for a person: what `status --exit-code` is about. */
export function needsAttention({ workers, queueFault, guard, connections, syncs, rotations }: Status): boolean {
  const troubled: readonly string[] = ['invalid', 'degraded', 'failed', 'blocked', 'partial'];
  return (
    !workers.areRunning ||
    queueFault !== null ||
    guard !== null ||
    connections.some(({ status }) => troubled.includes(status)) ||
    syncs.some(({ syncStatus, drift }) => troubled.includes(syncStatus) || drift === 'drifted') ||
    rotations.some(({ rotationStatus }) => troubled.includes(rotationStatus))
  );
}

function guardLines({ guard }: Status): readonly string[] {
  if (guard === null) return [];
  const since = guard.since === null ? '' : ` since ${guard.since.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return [`GUARDED${since}: ${guardText(guard)}\nStop every worker, then run ${guard.command}\n`];
}

/** Empty until a worker has used one. */
function identitySection(status: Status, now: Date): readonly string[] {
  const rows = identityRows(status, now);
  return rows.length === 0
    ? []
    : [section('workers’ AWS identity', ['SOURCE', 'IDENTITY', 'KEY', 'SINCE', 'LAST USED'], rows)];
}

const identityRows = ({ baseIdentities }: Status, now: Date) =>
  baseIdentities.map((one) => [
    baseKinds[one.kind],
    one.arn,
    describeBaseKey(one, now),
    one.firstSeenAt,
    one.lastSeenAt,
  ]);

function section(title: string, headings: readonly string[], rows: Parameters<typeof table>[1]): string {
  return `${title}\n${rows.length === 0 ? 'none\n' : `${table(headings, rows)}\n`}`;
}

const connectionRows = ({ connections }: Status) =>
  connections.map((one) => [
    one.name,
    one.method,
    one.status,
    one.accountId,
    one.lastValidatedAt,
    saidOf('connection', one, one.statusMessage),
  ]);

const syncRows = ({ syncs }: Status) =>
  syncs.map((one) => [
    one.name,
    one.destination,
    one.syncStatus,
    one.drift,
    one.syncedRevision,
    one.lastSyncedAt,
    saidOf('sync', one, one.statusMessage),
  ]);

const rotationRows = ({ rotations }: Status, now: Date) =>
  rotations.map((one) => [
    one.name,
    one.userName,
    one.rotationStatus,
    one.phase,
    one.activeAccessKeyId,
    upcoming(one.nextRotationAt, { now, pausedAt: one.pausedAt }),
    saidOf('rotation', one, one.statusMessage),
  ]);
