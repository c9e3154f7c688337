/**
 * What Infisical’s clients send and read beyond keyferry’s own model. Their fields are accepted
 * where they have one meaning here; projects and environments are labels in keyferry, so the ids
 * that clients expect are derived from the labels.
 */
import { createHash } from 'node:crypto';

import { JobError } from '../../errors.ts';
import { z } from './operation.ts';

/** The Terraform provider repeats the id of the path in the body of each change. */
export const sentId = z
  .uuid()
  .optional()
  .describe('Sent by Infisical’s Terraform provider; must be the id of the path');

export function requireSameId(sent: string | undefined, id: string): void {
  if (sent === undefined || sent.toLowerCase() === id.toLowerCase()) return;
  throw new JobError('PAYLOAD_INVALID', { message: 'ID: is not the id in the path. Send one of the two objects.' });
}

/** The provider also repeats what the path says. */
export function requireSameApp(field: 'App' | 'Provider', sent: string | undefined, app: string): void {
  if (sent === undefined || sent === app) return;
  throw new JobError('PAYLOAD_INVALID', { message: `${field}: the path is that of ${app}. Leave ${field} out.` });
}

/** Without the fields that are null or empty: the provider sends both for what is not set. */
export function withoutUnset(...fields: readonly string[]) {
  return (sent: unknown): unknown =>
    isRecord(sent)
      ? Object.fromEntries(Object.entries(sent).filter(([name, value]) => !(fields.includes(name) && isUnset(value))))
      : sent;
}

/** The fields that are empty as null, which removes what is set. */
export function unsetAsNull(...fields: readonly string[]) {
  return (sent: unknown): unknown =>
    isRecord(sent)
      ? Object.fromEntries(
          Object.entries(sent).map(([name, value]) => [name, fields.includes(name) && isUnset(value) ? null : value]),
        )
      : sent;
}

function isUnset(value: unknown): boolean {
  return value === null || value === '';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that clients always send and that cannot change. */
export function requireSame<T>(field: string, sent: T | undefined, present: T): void {
  if (sent === undefined || sent === present) return;
  throw new JobError('PAYLOAD_INVALID', { message: `${field}: cannot be changed. Create another object instead.` });
}

export const projectShape = z.object({ id: z.string(), name: z.string(), slug: z.string(), type: z.string() });

export function toProject(projectId: string): z.infer<typeof projectShape> {
  return { id: projectId, name: projectId, slug: projectId, type: 'secret-manager' };
}

export const environmentShape = z.object({ slug: z.string(), name: z.string(), id: z.uuid() });

/** The same environment of the same project always has the same id. */
export function toEnvironment(orgId: string, place: { projectId: string; environment: string }) {
  const id = toUuid(JSON.stringify([orgId, place.projectId, place.environment]));
  return { slug: place.environment, name: place.environment, id };
}

/** A UUID of version 8 (made by the application) from a text. */
function toUuid(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
