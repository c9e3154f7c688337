/**
 * `keyferry doctor --role`: asks the worker or server of this machine whether it is ready, for
 * containers' health checks.
 */
import { z } from 'zod';

import type { Config } from '../../config/config.ts';
import { JobError } from '../../errors.ts';

export type Role = 'worker' | 'server';

export interface RoleFinding {
  readonly part: string;
  readonly isFine: boolean;
  readonly detail: string;
}

const TIME_LIMIT_MS = 4_000;

const part = z.object({
  status: z.string(),
  message: z.string().optional(),
  remedy: z.string().optional(),
});
const readiness = z.object({ parts: z.record(z.string(), part) });

/**
 * Throws CONFIG_INVALID for a worker without a port of its own. A process that does not answer is a
 * finding.
 */
export async function askRole(
  role: Role,
  { httpHost, httpPort, workerHttpPort }: Pick<Config, 'httpHost' | 'httpPort' | 'workerHttpPort'>,
): Promise<readonly RoleFinding[]> {
  const port = role === 'server' ? httpPort : workerHttpPort;
  if (port === undefined)
    throw new JobError('CONFIG_INVALID', {
      message: 'A worker answers only where it has a port: set KEYFERRY_WORKER_HTTP_PORT for it and for this command.',
    });
  const url = `http://${addressOf(httpHost)}:${String(port)}/readyz`;
  const answer = await ask(url);
  if (answer === undefined) return [{ part: role, isFine: false, detail: `no answer at ${url}` }];
  return Object.entries(answer.parts).map(([name, { status, message, remedy }]) => ({
    part: name,
    isFine: status === 'ok',
    detail: [message, remedy].filter(Boolean).join(' ') || status,
  }));
}

/** A process that listens on every address is asked on loopback. */
function addressOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function ask(url: string): Promise<z.output<typeof readiness> | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIME_LIMIT_MS), redirect: 'error' });
    return readiness.safeParse(await answer.json()).data;
  } catch {
    return undefined;
  }
}
