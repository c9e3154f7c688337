/**
 * What each page of one subject shows: its row and what belongs to it, read together. Undefined:
 * there is no such subject.
 */
import type { StatusQueries } from '../../db/status/queries.ts';
import { connectionContent } from './connections.ts';
import { asksForConfirmation, type FormToken } from './order-forms.ts';
import type { SubjectKind } from './orders.ts';
import { rotationContent } from './rotations.ts';
import type { Content } from './shown.ts';
import { syncContent } from './syncs.ts';
import { isAboutToChange, UNDER_WAY_SECONDS } from './under-way.ts';

const RUNS_SHOWN = 30;
const ENTRIES_SHOWN = 200;
const DEPENDENTS_SHOWN = 100;
const STEPS_SHOWN = 60;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface PageOfObject {
  readonly id: string | undefined;
  readonly now: Date;
  readonly token: FormToken;
}

export function readSubject(
  queries: StatusQueries,
  kind: SubjectKind,
  { id, now, token }: PageOfObject,
): Promise<Content | undefined> {
  if (id === undefined || !UUID.test(id)) return Promise.resolve(undefined);
  switch (kind) {
    case 'connection':
      return readConnection(queries, id, { now, token });
    case 'sync':
      return readSync(queries, id, { now, token });
    case 'rotation':
      return readRotation(queries, id, { now, token });
  }
}

/** Its org and name, for whoever acts on it. */
export async function findSubject(
  queries: StatusQueries,
  kind: SubjectKind,
  id: string | undefined,
): Promise<{ readonly id: string; readonly orgId: string; readonly name: string } | undefined> {
  return id !== undefined && UUID.test(id) ? queries[kind](id) : undefined;
}

type Seen = Omit<PageOfObject, 'id'>;

/** Faster while something is about to change; at the usual pace otherwise. */
const soon: Pick<Content, 'refresh'> = { refresh: UNDER_WAY_SECONDS };

async function readConnection(queries: StatusQueries, id: string, { now, token }: Seen): Promise<Content | undefined> {
  const [connection, syncs, rotations, runs] = await Promise.all([
    queries.connection(id),
    queries.syncsOfConnection(id, DEPENDENTS_SHOWN),
    queries.rotationsOfConnection(id, DEPENDENTS_SHOWN),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (connection === undefined) return undefined;
  const isBusy = isAboutToChange(connection, runs, now);
  return {
    title: connection.name,
    section: 'connections',
    // Checks appear as they are made, and a validation takes seconds.
    ...(isBusy ? { refresh: 1 } : {}),
    content: connectionContent({ connection, syncs, rotations, runs, now, token, isBusy }),
  };
}

async function readSync(queries: StatusQueries, id: string, { now, token }: Seen): Promise<Content | undefined> {
  const [sync, entries, plan, runs] = await Promise.all([
    queries.sync(id),
    queries.entries(id, ENTRIES_SHOWN),
    queries.latestPlan(id),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (sync === undefined) return undefined;
  const isBusy = isAboutToChange(sync, runs, now);
  const content = syncContent({ sync, entries, plan, runs, now, token, isBusy });
  // A run may change the number that is asked for, so it is not offered before the run is over.
  const asksForText = !isBusy && asksForConfirmation(sync, token);
  return { title: sync.name, section: 'syncs', ...(isBusy ? soon : {}), asksForText, content };
}

async function readRotation(queries: StatusQueries, id: string, { now, token }: Seen): Promise<Content | undefined> {
  const [rotation, keys, steps, runs] = await Promise.all([
    queries.rotation(id),
    queries.keys(id),
    queries.steps(id, STEPS_SHOWN),
    queries.runsOf(id, RUNS_SHOWN),
  ]);
  if (rotation === undefined) return undefined;
  const isBusy = isAboutToChange(rotation, runs, now);
  const content = rotationContent({ rotation, keys, steps, runs, now, token });
  return { title: rotation.name, section: 'rotations', ...(isBusy ? soon : {}), content };
}
