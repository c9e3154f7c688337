/**
 * Who uses the command line, for runs and the audit trail: the account of the operating system, and
 * the machine.
 */
import { hostname, userInfo } from 'node:os';

import { cutText } from '../domain/text.ts';

/** At most 256 characters. */
const MAX_LENGTH = 256;

/** `cli:ann@ops-1`; a user without an account, as in some containers, is its number. */
export function personName(): string {
  return cutText(`cli:${accountName()}@${hostname()}`, MAX_LENGTH);
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
