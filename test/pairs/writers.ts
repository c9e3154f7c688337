/**
 * Every exported method that writes the row of a subject, and every other with the reason why it is
 * not tried.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'drizzle-orm';

import type { RequestKind } from '../../src/db/requests.ts';
import type { OutsideWish } from '../../src/db/engine/wishes.ts';
import { parsePhaseState } from '../../src/domain/rotation/rotation.ts';
import type { Kind } from '../../src/domain/run.ts';
import { beginRun, given, makeDispatched, type Scene, type Stores } from './scene.ts';

export interface Writer {
  /** `store.method`, then a variant where it has several. */
  readonly name: string;
  /** The subjects whose rows it writes. */
  readonly kinds: readonly Kind[];
  /** Brings about the state in which the method writes. */
  readonly arrange?: (stores: Stores, scene: Scene) => Promise<unknown>;
  /** The run of the subject itself writes, so a run is open whatever the statement. */
  readonly isOfRun?: boolean;
  /** What the method may refuse with, because a run is under way. */
  readonly refusal?: string;
  readonly write: (stores: Stores, scene: Scene) => Promise<unknown>;
}

/** Begins a run of another subject than the one that is tried. */
async function beginOther(stores: Stores, scene: Scene, of: { kind: Kind; id: string }): Promise<void> {
  await makeDispatched(stores, of.kind, of.id);
  await beginRun(stores, scene, of);
}

function runOf(scene: Scene, id: string): string {
  const runId = scene.runIds.get(id);
  if (runId === undefined) throw new Error('No run was begun.');
  return runId;
}

const rotationOf = ({ rotations }: Stores, { ids }: Scene) => rotations.byId(ids.rotate);
const syncOf = ({ syncs }: Stores, { orgId, ids }: Scene) => syncs.get(orgId, { id: ids.sync });
const connectionOf = ({ connections }: Stores, { connectionId }: Scene) => connections.byId(connectionId);

const isOf: Readonly<Record<RequestKind, Kind>> = {
  validate: 'validate',
  sync: 'sync',
  plan: 'sync',
  check: 'sync',
  import: 'sync',
  remove: 'sync',
  rotate: 'rotate',
};

const requests = (Object.keys(isOf) as RequestKind[]).map((kind): Writer => ({
  name: `requests.open ${kind}`,
  kinds: [isOf[kind]],
  write: ({ requests: store }, { orgId, ids }) =>
    store.open({ orgId, kind, subjectId: ids[isOf[kind]], actor: 'ann', parameters: {} }),
}));

const wishes = (['validate', 'sync', 'plan', 'rotate'] as const).map(
  (requestKind: OutsideWish['requestKind']): Writer => ({
    name: `work.recordWish ${requestKind}`,
    kinds: [isOf[requestKind]],
    write: ({ work }, { ids }) => {
      const kind = isOf[requestKind];
      const source = { queue: kind, jobId: randomUUID(), timestamp: 1 };
      return work.recordWish({ kind, requestKind, subjectId: ids[kind], actor: 'x', reason: 'requested', source });
    },
  }),
);

const folders: readonly Writer[] = [
  {
    name: 'folders.change',
    kinds: ['sync'],
    write: async (stores, { folderId }) =>
      stores.folders.change(await stores.folders.get(folderId), [{ key: 'A', value: randomUUID() }], 'merge'),
  },
  {
    name: 'folders.change of a folder below',
    kinds: ['sync'],
    arrange: makeRecursive,
    write: async (stores, { belowId }) =>
      stores.folders.change(await stores.folders.get(belowId), [{ key: 'B', value: randomUUID() }], 'merge'),
  },
  {
    name: 'folders.change of a folder that is new below',
    kinds: ['sync'],
    arrange: makeRecursive,
    write: async (stores, { orgId }) => {
      const place = { projectId: 'app', environment: 'prod', secretPath: '/api/below/new' };
      return stores.folders.change(await stores.folders.ensure(orgId, place), [{ key: 'N', value: '1' }], 'merge');
    },
  },
  {
    name: 'folders.changeIf',
    kinds: ['sync'],
    write: async (stores, { folderId }) => {
      const folder = await stores.folders.get(folderId);
      const how = { mode: 'replace', ifRevision: [folder.revision] } as const;
      return stores.folders.changeIf(folder, [{ key: 'B', value: randomUUID() }], how);
    },
  },
  {
    name: 'folders.importInto',
    kinds: ['sync'],
    arrange: (stores, scene) => beginOther(stores, scene, { kind: 'sync', id: scene.neighbourId }),
    write: async (stores, scene) => {
      const { folderId, neighbourId } = scene;
      const importer = { syncId: neighbourId, runId: runOf(scene, neighbourId) };
      const folder = await stores.folders.get(folderId);
      const change = await stores.folders.importInto(folder, [{ key: 'C', value: randomUUID() }], importer);
      const run = scene.runs.get(neighbourId);
      // It was claimed as unchanged, and would not import otherwise.
      const claim = run && { ...run.claim, unchangedEntries: undefined };
      if (run && claim) scene.runs.set(neighbourId, { ...run, claim, folderRevision: change.revision });
    },
  },
  {
    name: 'folders.pullInto',
    kinds: ['sync'],
    arrange: ({ db }, { orgId, folderId }) =>
      db.execute(sql`
        insert into keyferry.sources (folder_id, org_id, kind, config, target, every_seconds)
        values (${folderId}, ${orgId}, 'http', '{}', 'none', 300)`),
    write: async (stores, { folderId }) => {
      const lease = await stores.sources.claim({ folderId });
      if (lease === undefined) throw new Error('The source is not due.');
      const changes = [{ key: 'A', value: randomUUID() }];
      return stores.folders.pullInto(await stores.folders.get(folderId), changes, { lease, etag: null });
    },
  },
];

/** The sync reads the folders below its own, and is up to date with them. */
async function makeRecursive(stores: Stores, { ids, belowId }: Scene): Promise<void> {
  await stores.folders.change(await stores.folders.get(belowId), [{ key: 'B', value: '1' }], 'merge');
  const set = sql`sync_options = sync_options || '{"recursive": true}',
    done_revision = wanted_revision,
    synced_revision = (
      select 1 + sum(f.revision - 1) from keyferry.folders f
      where f.org_id = syncs.org_id and f.secret_path like '/api%'
    )`;
  await given(stores, 'sync', { id: ids.sync, set });
}

const syncs: readonly Writer[] = [
  {
    name: 'syncs.update',
    kinds: ['sync'],
    write: async (stores, scene) =>
      stores.syncs.update(await syncOf(stores, scene), { description: randomUUID() }, 'ann'),
  },
  {
    name: 'syncs.update to another folder',
    kinds: ['sync'],
    write: async (stores, scene) =>
      stores.syncs.update(await syncOf(stores, scene), { folderId: scene.otherFolderId }, 'ann'),
  },
  {
    name: 'syncs.update to automatic',
    kinds: ['sync'],
    arrange: (stores, { ids }) =>
      given(stores, 'sync', {
        id: ids.sync,
        set: sql`is_auto_sync_enabled
          = false`,
      }),
    write: async (stores, scene) =>
      stores.syncs.update(await syncOf(stores, scene), { isAutoSyncEnabled: true }, 'ann'),
  },
  {
    name: 'syncs.update to the folders below',
    kinds: ['sync'],
    arrange: async ({ folders: store }, { belowId }) =>
      store.change(await store.get(belowId), [{ key: 'B', value: '1' }], 'merge'),
    write: async (stores, scene) => {
      const sync = await syncOf(stores, scene);
      return stores.syncs.update(sync, { syncOptions: { ...sync.syncOptions, recursive: true } }, 'ann');
    },
  },
  {
    name: 'syncs.pause',
    kinds: ['sync'],
    write: async (stores, scene) => stores.syncs.pause(await syncOf(stores, scene)),
  },
  {
    name: 'syncs.resume',
    kinds: ['sync'],
    arrange: (stores, { ids }) => given(stores, 'sync', { id: ids.sync, set: sql`paused_at = now()` }),
    write: async (stores, scene) => stores.syncs.resume(await syncOf(stores, scene)),
  },
  {
    name: 'syncs.cancel',
    kinds: ['sync'],
    arrange: async ({ requests: store }, { orgId, ids }) =>
      store.open({ orgId, kind: 'sync', subjectId: ids.sync, actor: 'ann' }),
    refusal: 'SYNC_NOTHING_TO_CANCEL',
    write: async (stores, scene) => stores.syncs.cancel(await syncOf(stores, scene)),
  },
  {
    name: 'syncs.delete',
    kinds: ['sync'],
    write: async (stores, scene) => stores.syncs.delete(await syncOf(stores, scene), { abandon: true }),
  },
  {
    name: 'entries.deleteSync',
    kinds: ['sync'],
    isOfRun: true,
    write: ({ entries }, scene) => {
      const syncId = scene.ids.sync;
      return entries.deleteSync({ syncId, runId: runOf(scene, syncId), counts: null, awsCalls: {} });
    },
  },
];

/** Offers other credentials, which the run may accept or refuse. */
async function offer(stores: Stores, scene: Scene): Promise<void> {
  await stores.connections.update(await connectionOf(stores, scene), {
    description: {},
    credentials: { are: 'offered', by: { method: 'access-key', accessKeyId: 'AKIANEW', secretAccessKey: 'new' } },
    via: 'operator',
    requestedBy: 'ann',
  });
  await given(stores, 'validate', {
    id: scene.connectionId,
    set: sql`done_revision
      = wanted_revision`,
  });
}

async function candidateOf(stores: Stores, scene: Scene) {
  const { candidate } = await connectionOf(stores, scene);
  return {
    connectionId: scene.connectionId,
    runId: runOf(scene, scene.connectionId),
    candidateId: candidate?.id ?? '',
  };
}

const release: Writer['write'] = async (stores, scene) =>
  stores.status.release({
    connectionId: scene.connectionId,
    runId: runOf(scene, scene.connectionId),
    credentialsRevision: (await connectionOf(stores, scene)).credentialsRevision,
    status: 'valid',
    accountId: '111122223333',
    principalArn: null,
    isPermitted: true,
  });

const connections: readonly Writer[] = [
  {
    name: 'connections.update',
    kinds: ['validate'],
    write: async (stores, scene) =>
      stores.connections.update(await connectionOf(stores, scene), {
        description: { description: randomUUID() },
        via: 'operator',
        requestedBy: 'ann',
      }),
  },
  {
    name: 'connections.update credentials',
    kinds: ['validate'],
    write: async (stores, scene) =>
      stores.connections.update(await connectionOf(stores, scene), {
        description: {},
        credentials: { are: 'replaced', by: { method: 'access-key', accessKeyId: 'AKIANEW', secretAccessKey: 'new' } },
        via: 'operator',
        requestedBy: 'ann',
      }),
  },
  {
    name: 'connections.delete',
    kinds: ['validate'],
    arrange: async ({ db, requests: store }, { orgId, ids }) => {
      await store.open({ orgId, kind: 'validate', subjectId: ids.validate, actor: 'ann' });
      await db.execute(sql`
        with sync as (delete from keyferry.syncs where org_id = ${orgId})
        delete from keyferry.rotations where org_id = ${orgId}`);
    },
    write: async (stores, scene) => stores.connections.delete(await connectionOf(stores, scene)),
  },
  {
    name: 'connections.deleteRefused',
    kinds: ['validate'],
    arrange: async ({ db, requests: store }, { orgId, ids }) => {
      await store.open({ orgId, kind: 'validate', subjectId: ids.validate, actor: 'ann' });
      await db.execute(sql`
        with sync as (delete from keyferry.syncs where org_id = ${orgId}),
        rotation as (delete from keyferry.rotations where org_id = ${orgId})
        update keyferry.connections set status = 'invalid' where id = ${ids.validate}`);
    },
    write: async (stores, scene) => stores.connections.deleteRefused(await connectionOf(stores, scene)),
  },
  {
    name: 'status.acceptCandidate',
    kinds: ['validate'],
    isOfRun: true,
    arrange: offer,
    write: async (stores, scene) => stores.status.acceptCandidate(await candidateOf(stores, scene)),
  },
  {
    name: 'status.refuseCandidate',
    kinds: ['validate'],
    isOfRun: true,
    arrange: offer,
    write: async (stores, scene) =>
      stores.status.refuseCandidate(await candidateOf(stores, scene), {
        code: 'AWS_ACCESS_DENIED',
        message: 'Denied.',
        at: new Date().toISOString(),
      }),
  },
  { name: 'status.release of its own connection', kinds: ['validate'], isOfRun: true, write: release },
  {
    name: 'status.release',
    kinds: ['sync', 'rotate'],
    arrange: async (stores, scene) => {
      await given(stores, 'validate', { id: scene.connectionId, set: sql`status = 'invalid'` });
      await beginOther(stores, scene, { kind: 'validate', id: scene.connectionId });
    },
    write: release,
  },
];

const inPhase =
  (phase: string) =>
  (stores: Stores, { ids }: Scene) =>
    given(stores, 'rotate', { id: ids.rotate, set: sql`phase = ${phase}` });

const onRotation = (name: string, write: (stores: Stores, scene: Scene) => Promise<unknown>): Writer => ({
  name: `rotations.${name}`,
  kinds: ['rotate'],
  write,
});

const rotations: readonly Writer[] = [
  onRotation('request', async (stores, scene) => stores.rotations.request(await rotationOf(stores, scene), {}, 'ann')),
  onRotation('updateAsRead', async (stores, scene) =>
    stores.rotations.updateAsRead(await rotationOf(stores, scene), { graceSeconds: 5, rotationIntervalDays: 7 }),
  ),
  onRotation('pause', async (stores, scene) => stores.rotations.pause(await rotationOf(stores, scene))),
  {
    ...onRotation('pause in a phase', async (stores, scene) => stores.rotations.pause(await rotationOf(stores, scene))),
    arrange: inPhase('quiet'),
  },
  {
    ...onRotation('resume', async (stores, scene) => stores.rotations.resume(await rotationOf(stores, scene))),
    arrange: (stores, { ids }) =>
      given(stores, 'rotate', { id: ids.rotate, set: sql`paused_at = now(), phase = 'quiet'` }),
  },
  {
    ...onRotation('adoptKey', async (stores, scene) => {
      const pair = { accessKeyId: 'AKIAADOPTED', secretAccessKey: 'adopted' };
      return stores.rotations.adoptKey(await rotationOf(stores, scene), pair);
    }),
    refusal: 'KEY_ROTATION_BUSY',
  },
  {
    ...onRotation('cancel', async (stores, scene) => stores.rotations.cancel(await rotationOf(stores, scene), 'ann')),
    arrange: inPhase('verifying'),
  },
  {
    ...onRotation('cancel before it begins', async (stores, scene) =>
      stores.rotations.cancel(await rotationOf(stores, scene), 'ann'),
    ),
    arrange: async (stores, { orgId, ids }) => {
      await stores.requests.open({ orgId, kind: 'rotate', subjectId: ids.rotate, actor: 'ann' });
      await given(stores, 'rotate', { id: ids.rotate, set: sql`done_revision = wanted_revision` });
    },
  },
  {
    ...onRotation('reactivate', async (stores, scene) =>
      stores.rotations.reactivate(await rotationOf(stores, scene), 'ann'),
    ),
    arrange: inPhase('hold'),
  },
  onRotation('revokeKeys', async (stores, scene) =>
    stores.rotations.revokeKeys(await rotationOf(stores, scene), 'ann'),
  ),
  {
    ...onRotation('delete', async (stores, scene) => stores.rotations.delete(await rotationOf(stores, scene), 'keep')),
    refusal: 'KEY_ROTATION_BUSY',
  },
  {
    name: 'rotations.delete with its secrets',
    kinds: ['sync'],
    arrange: async (stores, scene) => {
      const { db } = stores;
      await db.execute(sql`
        update keyferry.secrets set managed_by = ${scene.ids.rotate}
        where folder_id = ${scene.folderId}`);
    },
    write: async (stores, scene) => stores.rotations.delete(await rotationOf(stores, scene), 'remove'),
  },
];

const state = parsePhaseState({});

const steps: readonly Writer[] = [
  {
    name: 'steps.advance',
    kinds: ['rotate'],
    isOfRun: true,
    refusal: 'LEASE_LOST',
    write: async (stores, scene) => {
      const rotation = await rotationOf(stores, scene);
      const fence = { rotation, runId: runOf(scene, rotation.id), now: new Date() };
      return stores.rotations.run.advance(fence, { phase: 'quiet', state });
    },
  },
  {
    name: 'steps.publish',
    kinds: ['sync', 'validate'],
    arrange: (stores, scene) => beginOther(stores, scene, { kind: 'rotate', id: scene.ids.rotate }),
    write: async (stores, scene) => {
      const rotation = await rotationOf(stores, scene);
      const fence = { rotation, runId: runOf(scene, rotation.id), now: new Date() };
      return stores.rotations.run.publish(fence, {
        toTransition: () => ({ phase: 'publishing', state }),
        pair: { accessKeyId: 'AKIAPUBLISHED', secretAccessKey: 'published' },
        connection: await connectionOf(stores, scene),
      });
    },
  },
];

export const writers: readonly Writer[] = [
  ...requests,
  ...wishes,
  ...folders,
  ...syncs,
  ...connections,
  ...rotations,
  ...steps,
];

/** Methods that write the row of no subject that exists already. */
const readers = {
  requests: ['progress', 'run', 'runsOf'],
  folders: ['get', 'find', 'hasBelow', 'ensure', 'read', 'names'],
  syncs: ['create', 'get', 'view', 'list'],
  entries: ['list', 'heldByOthers', 'claim', 'store', 'forget'],
  connections: ['create', 'get', 'byId', 'list', 'dependents', 'credentialsOf', 'candidateOf'],
  rotations: ['create', 'get', 'byId', 'list', 'keys', 'steps', 'run'],
  steps: [
    'requireSealing',
    ...['current', 'knownKeys', 'openRequests', 'secretOf', 'heldElsewhere', 'leftKeys', 'dependents', 'runsSince'],
  ],
  status: ['usesOf', 'newestRevisionOf'],
  // Of no subject: what a pull changes is a folder (`folders.pullInto`).
  sources: [
    ...['set', 'get', 'ask', 'unset', 'notifySecretOf', 'notify', 'dispatch', 'undispatch', 'recordWish', 'claim'],
    ...['settle'],
  ],
  work: ['isOpenRequest', 'storeCalls'],
} as const;

/** The statements of the engine, which the writers are tried with. */
const engine = ['work.dispatchDue', 'work.claim', 'work.renew', 'work.settle', 'work.undispatch'];

export const otherMethods: readonly string[] = [
  ...Object.entries(readers).flatMap(([store, methods]) => methods.map((method) => `${store}.${method}`)),
  ...engine,
];

/** Modules of `src/db` whose statements write rows of subjects, and which are tried. */
export const triedModules: readonly string[] = [
  'connection-deletion.ts',
  'connection-status.ts',
  'connections.ts',
  ...['engine/claim.ts', 'engine/dispatch.ts', 'engine/wishes.ts'],
  ...['engine/settle.ts', 'engine/served-subject.ts'],
  ...['invariants.ts', 'requests.ts'],
  ...['rotation/adoption.ts', 'rotation/orders.ts', 'rotation/publication.ts', 'rotation/rotations.ts'],
  'rotation/transitions.ts',
  ...['sync/deletion.ts', 'sync/due-readers.ts', 'sync/initial-import.ts', 'sync/orders.ts', 'sync/syncs.ts'],
];

/** Others that write rows of subjects, each with the reason why no pair of theirs is tried. */
export const excusedModules: Readonly<Record<string, string>> = {
  'client.ts': 'Asks whether the server takes writes, and changes no row.',
  'installation-accept.ts': 'No run is claimed while the database is guarded; its acceptance has tests of its own.',
  'encryption-keys.ts': 'Encrypts a column again, under the old ciphertext as its fence; it makes nothing due.',
};
