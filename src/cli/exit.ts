/** Exit codes of the contract, and how an error becomes one. */
import { errorTable, toJobError, type ErrorCode, type JobError } from '../errors.ts';
import type { Output } from './output.ts';

export const exitCodes = { done: 0, failed: 1, usage: 2, hasChanges: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const usageFamilies = /^(CONFIG|PAYLOAD)_/;
/** Things that a command names and that are not there, or a database that is not ready: the input or the setting is wrong. */
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
  // A person's no is no mistake.
  if (error.code === 'PAYLOAD_DECLINED') return exitCodes.failed;
  return usageFamilies.test(error.code) || usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

/** Prints the operator's message and the remedy, never a cause. With `--json` also a document, so that a consumer always gets one. */
export function reportError(output: Output, error: unknown): ExitCode {
  const jobError = toJobError(error);
  const { code, operatorMessage } = jobError;
  const { nextStep } = errorTable[code];
  const { problems = [] } = jobError.context;
  output.note(`keyferry: ${operatorMessage}`);
  if (problems.length > 1) for (const problem of problems) output.note(`  - ${problem}`);
  output.note(`  ${nextStep} [${code}]`);
  if (code === 'BUG_UNEXPECTED' && jobError.cause instanceof Error)
    output.note(`  ${jobError.cause.name} at ${whereOf(jobError.cause)}`);
  if (output.isJson)
    output.result(
      { error: { code, message: operatorMessage, nextStep, ...(problems.length > 0 ? { problems } : {}) } },
      () => '',
    );
  return toExitCode(jobError);
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
