/** Writes that count only if nobody else was faster. */
import { JobError } from '../errors.ts';

/**
 * Twenty losses in a row need twenty other writers of one row, each faster than this one: who loses
 * so often waits, instead of adding to the crowd.
 */
const MAX_RACES = 20;
/** Then those who change it are done. */
const AGAIN_MS = 5_000;

/** Repeats what returns undefined when another writer was faster. Throws DB_CONTENDED. */
export async function untilWon<T>(attempt: () => Promise<T | undefined>, message?: string): Promise<T> {
  for (let race = 0; race < MAX_RACES; race += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw new JobError('DB_CONTENDED', { retryAfterMs: AGAIN_MS, ...(message !== undefined && { message }) });
}
