/** `client.history`: what was done in the org, what folders it has, and who changed what. */
import type { Connections } from '../db/connections.ts';
import type { History } from '../db/history.ts';
import type { Rotations } from '../db/rotation/rotations.ts';
import type { Syncs } from '../db/sync/syncs.ts';
import type { Reference } from '../domain/reference.ts';
import { isUuid } from '../domain/reference.ts';
import { JobError } from '../errors.ts';
import type { ClientContext } from './context.ts';
import type { HistoryClient, RunQuery } from './types/history.ts';
import { toAuditRecord, toListedRun } from './views.ts';

interface Stores {
  readonly connections: Connections;
  readonly syncs: Syncs;
  readonly rotations: Rotations;
  readonly history: History;
}

export function createHistoryClient({ orgId, refer }: ClientContext, stores: Stores): HistoryClient {
  return {
    async runs({ subject, limit = 20, ...filter }: RunQuery = {}) {
      const subjectId = subject === undefined ? undefined : await idOf(subject);
      return (await stores.history.runs(orgId, { ...filter, subjectId, limit })).map(toListedRun);
    },
    folders: (projectId) => stores.history.folders(orgId, projectId),
    audit: async (limit = 20) => (await stores.history.audit(orgId, limit)).map(toAuditRecord),
  };

  async function idOf(subject: string): Promise<string> {
    if (isUuid(subject)) return subject;
    const reference = refer(subject);
    const kinds = [stores.connections, stores.syncs, stores.rotations];
    const found = await Promise.all(kinds.map((kind) => idIn(kind, reference)));
    const [id, ...others] = found.filter((one) => one !== undefined);
    if (id !== undefined && others.length === 0) return id;
    const message =
      id === undefined ? `There is no ${subject} in this org.` : `Several objects are named ${subject}: give the id.`;
    throw new JobError('PAYLOAD_INVALID', { message });
  }

  async function idIn(
    kind: { get(orgId: string, reference: Reference): Promise<{ readonly id: string }> },
    reference: Reference,
  ): Promise<string | undefined> {
    try {
      return (await kind.get(orgId, reference)).id;
    } catch (error) {
      if (error instanceof JobError && error.code.endsWith('_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}
