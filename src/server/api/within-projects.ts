/**
 * Identities that are limited to projects. What belongs to another project does not exist for them;
 * what belongs to the whole org they may see and use, not change. An operation that names no
 * project and no object is refused, so that a new one cannot be forgotten here.
 */
import type { Context } from 'hono';

import { mayChange, maySee } from '../../domain/caller.ts';
import { isUuid } from '../../domain/reference.ts';
import { JobError } from '../../errors.ts';
import { problem } from '../problem.ts';
import type { ApiOptions } from './env.ts';
import type { Gate } from './gate.ts';

/**
 * The project of an object; undefined when there is no such object, which must be indistinguishable
 * from one of another project.
 */
type Found = { readonly projectId: string | null } | undefined;

export function withinProjects({ queries }: ApiOptions, { isChange }: { readonly isChange: boolean }): Gate {
  return async (c, next) => {
    const caller = c.get('caller');
    if (caller.projects === null) return next();
    const named = await namedProjects(c);
    const objects = await namedObjects(c, queries);
    const used = await usedConnection(c, queries);
    if (named.some((projectId) => !maySee(caller, projectId))) return outside(c, caller.projects);
    const visible = [...objects, ...used].filter((one) => one !== undefined && maySee(caller, one.projectId));
    if (visible.length < objects.length + used.length) return hidden(c);
    const touched = [...named, ...objects.flatMap((one) => (one === undefined ? [] : [one.projectId]))];
    if (isChange && touched.some((projectId) => !mayChange(caller, projectId))) return outside(c, caller.projects);
    if (named.length + objects.length > 0 || c.req.path.endsWith('/options')) return next();
    return outside(c, caller.projects);
  };
}

/**
 * Of what belongs to the org as a whole and to no project: such an identity neither sees nor
 * changes it, whatever it names.
 */
export const ofWholeOrg: Gate = async (c, next) => {
  const { projects } = c.get('caller');
  return projects === null ? next() : outside(c, projects, 'Webhooks belong to the whole org.');
};

function outside(c: Context, projects: readonly string[], advice = 'Name one of them as projectId.'): Response {
  const message = `This identity is limited to the projects ${projects.join(', ')}. ${advice}`;
  return problem(c, 403, message);
}

function hidden(c: Context): Response {
  return problem(c, 404, 'There is no such object in the projects of this identity.');
}

async function sentBody(c: Context): Promise<Readonly<Record<string, unknown>>> {
  if (c.req.method === 'GET') return {};
  const text = await c.req.text();
  if (text === '') return {};
  const body: unknown = JSON.parse(text);
  return typeof body === 'object' && body !== null ? { ...body } : {};
}

async function namedProjects(c: Context): Promise<readonly string[]> {
  const { projectId } = await sentBody(c);
  return [c.req.query('projectId'), projectId].filter((one) => typeof one === 'string');
}

async function namedObjects(c: Context, queries: ApiOptions['queries']): Promise<readonly Found[]> {
  const { orgId } = c.get('caller');
  const { connectionId, syncId, rotationId, runId, name } = c.req.param() as Readonly<Record<string, string>>;
  const subjectId = c.req.query('subjectId');
  const found: Promise<Found>[] = [];
  if (connectionId !== undefined) found.push(queries.findConnection(orgId, { id: connectionId }));
  if (syncId !== undefined) found.push(queries.findSync(orgId, { id: syncId }));
  if (rotationId !== undefined) found.push(queries.findRotation(orgId, { id: rotationId }));
  if (name !== undefined && c.req.path.includes('/connection-name/'))
    found.push(queries.findConnection(orgId, { name }));
  if (runId !== undefined) found.push(findRun(c, runId, queries));
  if (subjectId !== undefined) found.push(findSubject(orgId, subjectId, queries));
  return Promise.all(found);
}

/** Undefined also for a run of a deleted subject: its project is no longer known. */
async function findRun(c: Context, runId: string, queries: ApiOptions['queries']): Promise<Found> {
  if (!isUuid(runId)) return undefined;
  try {
    const { subjectId } = await c.get('client').runs.get(runId);
    return await findSubject(c.get('caller').orgId, subjectId, queries);
  } catch (error) {
    if (error instanceof JobError && error.code === 'PAYLOAD_INVALID') return undefined;
    throw error;
  }
}

async function findSubject(orgId: string, id: string, queries: ApiOptions['queries']): Promise<Found> {
  const reference = { id };
  return (
    (await queries.findConnection(orgId, reference)) ??
    (await queries.findSync(orgId, reference)) ??
    (await queries.findRotation(orgId, reference))
  );
}

/** Sent to be used, not to be changed. */
async function usedConnection(c: Context, queries: ApiOptions['queries']): Promise<readonly Found[]> {
  const { connectionId } = await sentBody(c);
  if (typeof connectionId !== 'string') return [];
  return [await queries.findConnection(c.get('caller').orgId, { id: connectionId })];
}
