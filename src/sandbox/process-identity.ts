/**
 * Which process a stored pid means. A pid alone is reused by the system, so it is stored together
 * with its start time.
 */
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; undefined where the system does not say. */
  readonly startedAt: string | undefined;
}

export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, startedAt: findStartTime(pid) };
}

export function isProcessAlive(identity: ProcessIdentity): boolean {
  if (!answersSignal(identity.pid)) return false;
  return identity.startedAt === undefined || findStartTime(identity.pid) === identity.startedAt;
}

/** Undefined when it has ended, or where the system does not say. */
export function findCommandLine(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return undefined;
  }
}

function answersSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function findStartTime(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return parseStartTime(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/**
 * Field 22; the second field is the command in brackets and may hold blanks and brackets itself.
 */
function parseStartTime(stat: string): string | undefined {
  const afterCommand = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isZombie = afterCommand[0] === 'Z';
  return isZombie ? 'zombie' : afterCommand[19];
}
