/** Exit codes of the contract, and how an error becomes one. */
import { errorTable, toJobError, type ErrorCode, type JobError } from '../errors.ts';
import { isSaid, type Named } from '../domain/advice.ts';
import { inFlags, withFlag } from './flags.ts';
import type { Output } from './output.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, hasChanges: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const usageFamilies = /^(CONFIG|PAYLOAD)_/;
/**
 * Things that a command names and that are not there, or a database that is not ready: the input or
 * the setting is wrong.
 */
const usageCodes: ReadonlySet<ErrorCode> = new Set([
  'WEBHOOK_NOT_FOUND',
  'WEBHOOK_NAME_TAKEN',
  'WEBHOOK_URL_REFUSED',
  'SOURCE_NOT_FOUND',
  'SOURCE_URL_REFUSED',
  'CONNECTION_NOT_FOUND',
  'SYNC_NOT_FOUND',
  'KEY_ROTATION_NOT_FOUND',
  'SECRET_FOLDER_NOT_FOUND',
  'CONNECTION_NAME_TAKEN',
  'SYNC_NAME_TAKEN',
  'KEY_ROTATION_NAME_TAKEN',
  'DB_DENIED',
  'DB_NOT_ACCEPTED',
  'DB_NOT_MIGRATED',
  'DB_TOO_NEW',
  'DB_KEY_MISSING',
]);

export function toExitCode(error: JobError): ExitCode {
  // A person who declines has made no mistake.
  if (error.code === 'PAYLOAD_DECLINED') return exitCodes.failed;
  return usageFamilies.test(error.code) || usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

/** What the command was about, so that its messages name its flags and its object. */
export interface CommandInput {
  /** `--prefix`, `<name>` */
  readonly flags: ReadonlySet<string>;
  readonly of: Named | undefined;
}

const nothingAsked: CommandInput = { flags: new Set(), of: undefined };

/**
 * Prints the operator's message and the remedy, never a cause. With `--json` also a document, so
 * that a consumer always gets one.
 */
export function reportError(output: Output, error: unknown, asked: CommandInput = nothingAsked): ExitCode {
  const jobError = toJobError(error);
  const { code } = jobError;
  const problems = (jobError.context.problems ?? []).map((problem) => withFlag(problem, asked.flags));
  const message = messageOf(jobError, { problems, asked });
  const nextStep = inFlags(errorTable[code].nextStep, asked.of);
  output.note(`keyferry: ${message}`);
  if (problems.length > 1) for (const problem of problems) output.note(`  - ${problem}`);
  if (jobError.context.example !== undefined) output.note(`  ${jobError.context.example}`);
  output.note(remedyOf(jobError, message, asked));
  if (code === 'BUG_UNEXPECTED' && jobError.cause instanceof Error)
    output.note(`  ${jobError.cause.name} at ${whereOf(jobError.cause)}`);
  if (output.isJson)
    output.result({ error: { code, message, nextStep, ...(problems.length > 0 ? { problems } : {}) } }, () => '');
  return toExitCode(jobError);
}

function messageOf(
  { code, operatorMessage }: JobError,
  { problems, asked }: { readonly problems: readonly string[]; readonly asked: CommandInput },
): string {
  const [only, ...others] = problems;
  if (code === 'PAYLOAD_INVALID' && only !== undefined)
    return others.length === 0 ? sentence(only) : `${String(problems.length)} options are wrong.`;
  return inFlags(operatorMessage, asked.of);
}

const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);

/** Where these have their own message, it already says what to do. */
const selfExplaining: ReadonlySet<ErrorCode> = new Set(['PAYLOAD_INVALID', 'CONFIG_INVALID']);

/**
 * Their own message names the cause and its remedy; of the usual next step only what an outage
 * means for the work is kept.
 */
const outages: ReadonlySet<ErrorCode> = new Set(['DB_UNAVAILABLE', 'QUEUE_UNAVAILABLE']);

/** The next step, unless the message gives it already; and the code, to search for. */
function remedyOf({ code, operatorMessage }: JobError, message: string, { of }: CommandInput): string {
  const { message: usual } = errorTable[code];
  const nextStep = inFlags(errorTable[code].nextStep, of);
  const isOwn = operatorMessage !== usual;
  if (isOwn && outages.has(code)) return `  ${nextStep.replace(/^.*?\. /, '')} [${code}]`;
  if (isOwn && (selfExplaining.has(code) || isSaid(message, nextStep))) return `  [${code}]`;
  return `  ${nextStep} [${code}]`;
}

/** The first frame: enough for a report, without the message, which may hold a value. */
function whereOf(cause: Error): string {
  return (
    (cause.stack ?? '')
      .split('\n')
      .find((line) => line.startsWith('    at '))
      ?.trim()
      .replace(/^at /, '')
      .replace(/\(?file:\/\/.*\/(src|dist)\//, '$1/') ?? 'an unknown place'
  );
}
