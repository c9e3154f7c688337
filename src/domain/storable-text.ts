/**
 * Refuses text that PostgreSQL cannot hold, and a name that objects of the language lose, wherever
 * they come in. Pure.
 */
import { JobError } from '../errors.ts';
import { isStorable } from './text.ts';

/** Throws PAYLOAD_INVALID naming the field, for plain data of any depth; keys count as well. */
export function requireStorable(input: unknown, path = 'input'): void {
  if (typeof input === 'string') {
    if (!isStorable(input)) throw refusal(path);
  } else if (Array.isArray(input)) {
    input.forEach((item, index) => {
      requireStorable(item, `${path}.${String(index)}`);
    });
  } else if (isPlain(input)) {
    for (const [key, value] of Object.entries(input)) {
      if (!isStorable(key)) throw refusal(`a field name of ${path}`);
      if (key === LOST_NAME) throw lostName(path);
      requireStorable(value, path === 'input' ? key : `${path}.${key}`);
    }
  }
}

/** Schemas silently drop a key of this name. */
const LOST_NAME = '__proto__';

function lostName(path: string): JobError {
  return new JobError('PAYLOAD_INVALID', {
    message: `${path} holds the name ${LOST_NAME}, which no program in JavaScript can hold safely. Choose another name.`,
  });
}

function refusal(path: string): JobError {
  return new JobError('PAYLOAD_INVALID', {
    message: `${path} holds a character that cannot be stored: U+0000, or half of a surrogate pair. Remove it.`,
  });
}

function isPlain(input: unknown): input is Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null) return false;
  const prototype: unknown = Object.getPrototypeOf(input);
  return prototype === Object.prototype || prototype === null;
}
