/** One line of the registry of error codes. */

export type Disposition = 'retry' | 'snooze' | 'fail';

export interface ErrorEntry {
  /** What a run does with it: try again later, wait without spending an attempt, or stop. */
  readonly disposition: Disposition;
  /** The message shown when the raiser gives no more specific one. */
  readonly message: string;
  readonly meaning: string;
  /** What the reader of the message does next. */
  readonly nextStep: string;
}

/** disposition, message, meaning, next step */
type Line = readonly [Disposition, string, string, string];

export const entry = (...[disposition, message, meaning, nextStep]: Line): ErrorEntry => ({
  disposition,
  message,
  meaning,
  nextStep,
});
