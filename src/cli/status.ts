/** `keyferry status`: everything of an org at a glance. */
import type { Client } from '../client/client.ts';
import type { Program } from '../main.ts';
import { table } from './output.ts';

export type Status = Awaited<ReturnType<typeof readStatus>>;

export async function readStatus(client: Client, program: Pick<Program, 'backend' | 'endpointOverrides'>) {
  const [connections, syncs, rotations, endpointOverrides] = await Promise.all([
    client.connections.list(),
    client.syncs.list(),
    client.rotations.list(),
    program.endpointOverrides(),
  ]);
  return { org: client.orgId, queue: program.backend.engine, endpointOverrides, connections, syncs, rotations };
}

export function describeStatus(status: Status): string {
  const overrides = status.endpointOverrides
    .map(({ source, url }) => `AWS endpoint override: ${source} = ${url}\n`)
    .join('');
  return [
    `org ${status.org}, queue on ${status.queue}\n${overrides}`,
    section('connections', ['NAME', 'METHOD', 'STATUS', 'ACCOUNT', 'VALIDATED', 'MESSAGE'], connectionRows(status)),
    section('syncs', ['NAME', 'DESTINATION', 'STATUS', 'DRIFT', 'REVISION', 'SYNCED', 'MESSAGE'], syncRows(status)),
    section(
      'rotations',
      ['NAME', 'IAM USER', 'STATUS', 'PHASE', 'ACTIVE KEY', 'NEXT', 'MESSAGE'],
      rotationRows(status),
    ),
  ].join('\n');
}

function section(title: string, headings: readonly string[], rows: Parameters<typeof table>[1]): string {
  return `${title}\n${rows.length === 0 ? 'none\n' : `${table(headings, rows)}\n`}`;
}

const connectionRows = ({ connections }: Status) =>
  connections.map((one) => [one.name, one.method, one.status, one.accountId, one.lastValidatedAt, one.statusMessage]);

const syncRows = ({ syncs }: Status) =>
  syncs.map((one) => [
    one.name,
    one.destination,
    one.syncStatus,
    one.drift,
    one.syncedRevision,
    one.lastSyncedAt,
    one.statusMessage,
  ]);

const rotationRows = ({ rotations }: Status) =>
  rotations.map((one) => [
    one.name,
    one.userName,
    one.rotationStatus,
    one.phase,
    one.activeAccessKeyId,
    one.nextRotationAt,
    one.statusMessage,
  ]);
