/**
 * Reads the denied action and resource out of AWS's refusals: ARNs and action names only, nothing
 * else of the text is kept.
 */
import { defined } from '../domain/defined.ts';

export interface Denial {
  readonly deniedAction?: string;
  readonly deniedResource?: string;
  /** What refused: nothing allows it, something denies it, or the session policy is too narrow. */
  readonly deniedBy?: 'no-allow' | 'explicit-deny' | 'session-policy';
}

const action = /(?:is )?not authorized to perform:? ([a-z][a-z0-9-]*:[A-Za-z]+)/;
const resource = / on (?:the )?resource:? ((?:arn:[^\s"',]+|\*))/;

export function readDenial(message: string): Denial {
  const deniedAction = action.exec(message)?.[1];
  const deniedResource = resource.exec(message)?.[1]?.replace(/[.;]$/, '');
  return {
    ...defined({ deniedAction, deniedResource }),
    ...(deniedAction === undefined ? {} : { deniedBy: refusalOf(message) }),
  };
}

function refusalOf(message: string): 'no-allow' | 'explicit-deny' | 'session-policy' {
  if (/explicit deny/.test(message)) return 'explicit-deny';
  return /no session policy allows/.test(message) ? 'session-policy' : 'no-allow';
}

/** Refusals of the key behind a secret or parameter, in the words of the services. */
export function mentionsKms(message: string): boolean {
  return /access to kms|customer master key|\(Service: (AWS)?KMS|kms:[A-Z]|ciphertext refers to/i.test(message);
}
