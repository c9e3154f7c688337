/**
 * What is known on disk about an embedded PostgreSQL: `instance.json` beside its data, readable by
 * its owner only.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobError } from '../errors.ts';
import { identifyProcess, isProcessAlive, type ProcessIdentity } from './process-identity.ts';

const OWNER_ONLY = 0o600;
const LOCK_POLL_MS = 100;
const LOCK_WAIT_MS = 60_000;

export interface PostgresInstance {
  /**
   * Holds `data` and `postgres.log`; differs from the requested folder where the server's account
   * cannot reach that.
   */
  readonly home: string;
  readonly port: number;
  readonly password: string;
  /** The program that started it and will stop it. */
  readonly owner?: ProcessIdentity;
  readonly postmaster?: ProcessIdentity;
}

export async function findInstance(directory: string): Promise<PostgresInstance | undefined> {
  try {
    return JSON.parse(await readFile(instanceFile(directory), 'utf8')) as PostgresInstance;
  } catch {
    return undefined;
  }
}

export async function saveInstance(directory: string, instance: PostgresInstance): Promise<void> {
  const temporary = `${instanceFile(directory)}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify(instance), { mode: OWNER_ONLY });
  await rename(temporary, instanceFile(directory));
}

const instanceFile = (directory: string): string => join(directory, 'instance.json');

/**
 * Two programs that start the same folder at once wait for one another; a lock of a program that is
 * gone does not count.
 */
export async function withLock<T>(directory: string, action: () => Promise<T>): Promise<T> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = join(directory, 'start.lock');
  await takeLock(lock);
  try {
    return await action();
  } finally {
    await rm(lock, { force: true });
  }
}

async function takeLock(lock: string): Promise<void> {
  const deadline = Date.now() + LOCK_WAIT_MS;
  while (Date.now() < deadline) {
    if (await createLock(lock)) return;
    if (!(await isLockHeld(lock))) await rm(lock, { force: true });
    else await sleep(LOCK_POLL_MS);
  }
  throw new JobError('DB_UNAVAILABLE', {
    message:
      'Another keyferry has been starting the embedded PostgreSQL of this folder for a minute. End it and try again.',
  });
}

/** By a link to a complete file: a lock without its holder's name would hold for ever. */
async function createLock(lock: string): Promise<boolean> {
  const draft = `${lock}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(identifyProcess(process.pid)), { mode: OWNER_ONLY });
  try {
    await link(draft, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function isLockHeld(lock: string): Promise<boolean> {
  const text = await readFile(lock, 'utf8').catch(() => undefined);
  return text !== undefined && isProcessAlive(JSON.parse(text) as ProcessIdentity);
}
