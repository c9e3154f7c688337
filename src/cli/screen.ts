/**
 * What stdout is: a terminal with a width and colours, or a pipe, which gets whole cells and
 * absolute times.
 */
import { type Environment, processEnvironment } from '../config/environment.ts';
import { type Tone, toneOf } from '../domain/tone.ts';

export interface Screen {
  /** Undefined: as wide as needed. */
  readonly columns: number | undefined;
  readonly hasColor: boolean;
  /** Times relative to this one; undefined: absolute times. */
  readonly now: Date | undefined;
}

export function currentScreen(): Screen {
  const { stdout } = process;
  if (!stdout.isTTY) return { columns: undefined, hasColor: false, now: undefined };
  return { columns: stdout.columns, hasColor: mayColor(processEnvironment()), now: new Date() };
}

export function mayColor({ NO_COLOR, TERM }: Environment): boolean {
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}

const codes: Readonly<Record<Tone, string | undefined>> = {
  ok: '32',
  warn: '33',
  bad: '31',
  busy: '36',
  idle: undefined,
};

/** A state in its colour; the word itself says the same. */
export function colored(state: string, { hasColor }: Screen): string {
  const code = codes[toneOf(state.trim())];
  return hasColor && code !== undefined ? `\u001b[${code}m${state}\u001b[0m` : state;
}
