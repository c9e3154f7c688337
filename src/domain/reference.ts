/**
 * How a caller refers to an object: the API by id, its name routes by name, people by either. Pure.
 */
import { JobError } from '../errors.ts';

export type Reference = { readonly id: string } | { readonly name: string } | { readonly idOrName: string };

export interface Referable {
  readonly id: string;
  readonly name: string;
  readonly projectId: string | null;
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** Names of this form would read as ids. */
export const NOT_A_UUID = 'must not have the form of an id';

export function textOf(reference: Reference): string {
  if ('id' in reference) return reference.id;
  return 'name' in reference ? reference.name : reference.idOrName;
}

/**
 * The object meant among those that match: an id wins over a name. Undefined when nothing matches;
 * throws PAYLOAD_INVALID with the candidates when several objects have that name.
 */
export function pickReferred<T extends Referable>(reference: Reference, matches: readonly T[]): T | undefined {
  const text = textOf(reference);
  const byId = matches.find((match) => match.id === text.toLowerCase());
  if (byId !== undefined || matches.length <= 1) return byId ?? matches[0];
  const candidates = matches.map(
    ({ id, name, projectId }) => `${projectId === null ? '' : `${projectId}/`}${name} (${id})`,
  );
  throw new JobError('PAYLOAD_INVALID', {
    message: `${text} is ambiguous: ${candidates.join(', ')}. Use the id.`,
    context: { candidates },
  });
}
