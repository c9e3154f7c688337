/**
 * Which installation a command talks to: the one that the environment names, else the `keyferry up`
 * that runs in this folder.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { z } from 'zod';

import { settingNames } from '../config/config.ts';
import { processEnvironment, type Environment } from '../config/environment.ts';
import type { Output } from './output.ts';

export const UP_FOLDER = '.keyferry';

const upShape = z.object({
  pid: z.number().int(),
  serverUrl: z.string(),
  /** What other commands of this folder need; the file is readable by its owner only. */
  environment: z.record(z.string(), z.string()),
  isSandbox: z.boolean(),
});

export type UpState = z.infer<typeof upShape>;

export const upFile = (): string => join(resolve(UP_FOLDER), 'up.json');

/**
 * The environment of the running `up`, merged over the process's own where that names no database;
 * only settings of this process itself stay.
 */
export async function findEnvironment(output: Output): Promise<Environment> {
  const environment = processEnvironment();
  if (environment.DATABASE_URL || environment.DATABASE_URL_FILE) return environment;
  const up = await readUp();
  if (!up || !isRunning(up.pid)) return environment;
  output.note(
    `Using the keyferry that runs in ./${UP_FOLDER} (process ${String(up.pid)}${up.isSandbox ? ', with the AWS sandbox' : ''}).`,
  );
  const kept = up.isSandbox ? withoutAws(environment) : environment;
  return { ...kept, ...up.environment, ...ownSettings(environment) };
}

const OWN =
  /^KEYFERRY_(HTTP_|BOARD_|WORKER_HTTP_|METRICS_TOKEN|LOG_LEVEL|ORG$|CONCURRENCY|REVALIDATE_|RECONCILE_|KEEP_HISTORY)/;
const known: ReadonlySet<string> = new Set(settingNames);

/**
 * How this process itself listens, asks for a login, logs and paces its work, and the org it acts
 * for: it reaches nothing by them. Names of no setting stay, to be refused.
 */
export function ownSettings(environment: Environment): Environment {
  const isOwn = (name: string) => OWN.test(name) || (name.startsWith('KEYFERRY_') && !known.has(name));
  return Object.fromEntries(Object.entries(environment).filter(([name, value]) => isOwn(name) && value !== ''));
}

/** Beside the sandbox, nothing of a real account may be in reach. */
function withoutAws(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(AWS|INF|KEYFERRY|REDIS|DATABASE)_/.test(name)),
  );
}

async function readUp(): Promise<UpState | undefined> {
  try {
    return upShape.parse(JSON.parse(await readFile(upFile(), 'utf8')));
  } catch {
    return undefined;
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Alive, but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
