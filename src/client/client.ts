/**
 * The client: everything a producer or an operator does, on top of the stores it is handed. The
 * library, the CLI and the API are this object. It only writes what is wanted; workers do the rest.
 */
import type { Connections } from '../db/connections.ts';
import type { Folders } from '../db/folders.ts';
import type { History } from '../db/history.ts';
import type { Orgs } from '../db/orgs.ts';
import type { Requests } from '../db/requests.ts';
import type { Rotations } from '../db/rotation/rotations.ts';
import type { Sources } from '../db/sources.ts';
import type { Syncs } from '../db/sync/syncs.ts';
import type { Webhooks } from '../db/webhooks.ts';
import type { Via } from '../domain/connection/candidate.ts';
import { type Actions, audited, type AuditPort, clientActions, type Methods, type Recorder } from './audit.ts';
import { createConnectionsClient } from './connections.ts';
import type { ClientContext, TryCredentials } from './context.ts';
import { requireStorable } from '../domain/storable-text.ts';
import { guarded } from './guarded.ts';
import { createHistoryClient } from './history.ts';
import { createRotationsClient } from './rotations.ts';
import { createSecretsClient } from './secrets.ts';
import { createSourcesClient } from './sources.ts';
import { createSyncsClient } from './syncs.ts';
import type { Client } from './types/client.ts';
import type { RunsClient } from './types/run.ts';
import { toRunRecord } from './views.ts';
import { waitForAnswer } from './waiting.ts';
import { createWebhooksClient } from './webhooks.ts';

export interface Stores {
  readonly connections: Connections;
  readonly folders: Folders;
  readonly sources: Sources;
  readonly syncs: Syncs;
  readonly rotations: Rotations;
  readonly requests: Requests;
  readonly history: History;
  readonly orgs: Orgs;
  readonly webhooks: Webhooks;
}

export interface Actor {
  readonly orgId: string;
  /** Who asks; goes into `runs.requested_by`. */
  readonly name?: string;
  /**
   * Default: `library`, which acts for a tenant. Tenants choose no external ID; an operator acts
   * for all orgs.
   */
  readonly via?: Via;
}

/** What a client can do beyond PostgreSQL. */
export interface ClientPorts {
  readonly tryCredentials?: TryCredentials;
  /** Absent where changes are recorded elsewhere. */
  readonly audit?: AuditPort;
}

export function createClient(stores: Stores, actor: Actor, ports: ClientPorts = {}): Client {
  requireStorable({ orgId: actor.orgId, name: actor.name });
  const context: ClientContext = {
    orgId: actor.orgId,
    actor: actor.name ?? null,
    via: actor.via ?? 'library',
    requests: stores.requests,
    refer: (text) => (actor.via === 'api' ? { id: text } : { idOrName: text }),
    wait: async (requestId, options) => toRunRecord(await waitForAnswer(stores.requests, requestId, options)),
    tryCredentials: ports.tryCredentials,
    isForeignExternalId: (externalId) => stores.orgs.isForeignExternalId(externalId, actor.orgId),
  };
  const recorder: Recorder = { orgId: context.orgId, actor: context.actor, port: ports.audit };
  const open = <T extends Methods<T>>(methods: T, actions: Actions<T>): T =>
    guarded(audited(methods, actions, recorder));
  return {
    orgId: actor.orgId,
    connections: open(createConnectionsClient(context, stores.connections), clientActions.connections),
    secrets: open(createSecretsClient(context, stores.folders), clientActions.secrets),
    sources: open(createSourcesClient(context, stores), clientActions.sources),
    syncs: open(createSyncsClient(context, stores), clientActions.syncs),
    rotations: open(createRotationsClient(context, stores), clientActions.rotations),
    webhooks: open(createWebhooksClient(context, stores.webhooks), clientActions.webhooks),
    history: open(createHistoryClient(context, stores), clientActions.history),
    runs: open(createRunsClient(context, stores), clientActions.runs),
  };
}

function createRunsClient({ orgId, wait }: ClientContext, { requests }: Pick<Stores, 'requests'>): RunsClient {
  return {
    get: async (runId) => toRunRecord(await requests.run(orgId, runId)),
    list: async (subjectId, limit = 20) => (await requests.runsOf(orgId, subjectId, limit)).map(toRunRecord),
    wait: (requestId, options = {}) => wait(requestId, options),
  };
}
