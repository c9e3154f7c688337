/**
 * The passwords of named operators. A browser sends the login with each request, and scrypt is slow
 * on purpose: a right one is remembered for some minutes, as a hash under a key of this process. A
 * wrong one costs the same time for a known name and for an unknown one. One check at a time, with
 * a short queue, so that guesses exhaust neither the thread pool nor the memory.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import { HASH_BYTES, SALT_BYTES, type PasswordHash } from '../../domain/password-hash.ts';
import { derive as scryptOf } from './scrypt.ts';

export interface NamedOperator {
  readonly name: string;
  readonly password: PasswordHash;
}

export interface PasswordCheck {
  /**
   * `given`: `name:password`. The name of the operator; undefined when it is wrong; `busy` when too
   * many wait.
   */
  verify(given: string, address: string): Promise<{ readonly name: string } | 'busy' | undefined>;
}

const REMEMBERED_MS = 10 * 60_000;
const MAX_WAITING = 20;
/** Per address: one address cannot fill the queue. */
const MAX_WAITING_OF_ADDRESS = 5;

export interface PasswordPorts {
  now(): number;
  /** scrypt, unless a test counts. */
  readonly derive?: (password: string, salt: Uint8Array) => Promise<Buffer>;
}

export function createPasswordCheck(
  operators: readonly NamedOperator[],
  { now, derive = scryptOf }: PasswordPorts,
): PasswordCheck {
  const key = randomBytes(32);
  const check = createSlowCheck(operators, derive);
  const places = createPlaces();
  const remembered = new Map<string, { readonly name: string; readonly until: number }>();
  const underWay = new Map<string, Promise<{ readonly name: string } | undefined>>();
  const verifyOnce = async (id: string, given: string) => {
    const found = await check(given);
    if (found !== undefined) remembered.set(id, { ...found, until: now() + REMEMBERED_MS });
    return found;
  };
  return {
    async verify(given, address) {
      const id = createHmac('sha256', key).update(given, 'utf8').digest('base64');
      const known = remembered.get(id);
      if (known !== undefined && known.until > now()) return { name: known.name };
      remembered.delete(id);
      // A page loads its parts at once, all with the same login.
      const same = underWay.get(id);
      if (same !== undefined) return same;
      if (!places.take(address)) return 'busy';
      const verdict = verifyOnce(id, given).finally(() => {
        underWay.delete(id);
        places.leave(address);
      });
      underWay.set(id, verdict);
      return verdict;
    },
  };
}

/** One after the other. */
function createSlowCheck(operators: readonly NamedOperator[], derive: typeof scryptOf) {
  const byName = new Map(operators.map((operator) => [operator.name, operator]));
  const nobody = { salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
  let last: Promise<unknown> = Promise.resolve();
  const perform = async (given: string): Promise<{ readonly name: string } | undefined> => {
    const colon = given.indexOf(':');
    const operator = byName.get(given.slice(0, Math.max(colon, 0)));
    const { salt, hash } = operator?.password ?? nobody;
    const isRight = timingSafeEqual(await derive(given.slice(colon + 1), salt), hash);
    return isRight && operator !== undefined ? { name: operator.name } : undefined;
  };
  return (given: string) => {
    const result = last.then(() => perform(given));
    last = result.catch(() => undefined);
    return result;
  };
}

function createPlaces() {
  const taken = new Map<string, number>();
  let waiting = 0;
  return {
    take(address: string): boolean {
      const own = taken.get(address) ?? 0;
      if (waiting >= MAX_WAITING || own >= MAX_WAITING_OF_ADDRESS) return false;
      waiting += 1;
      taken.set(address, own + 1);
      return true;
    },
    leave(address: string): void {
      waiting -= 1;
      const own = (taken.get(address) ?? 0) - 1;
      if (own > 0) taken.set(address, own);
      else taken.delete(address);
    },
  };
}
