/**
 * Alive and ready. Alive: the process answers. Ready: the database, the queue and the schema are
 * what the program needs; each part has a verdict and, when it is bad, what to do. Answers are kept
 * for a second, so that probes cost nothing and an outage is not made worse by them.
 */
import { defined } from '../domain/defined.ts';
import { errorTable, toJobError } from '../errors.ts';

export interface HealthChecks {
  /** Rejects when PostgreSQL does not answer. */
  database(): Promise<unknown>;
  /** Rejects when the queue does not answer; may resolve with warnings about its settings. */
  queue(): Promise<unknown>;
  /** Rejects with DB_NOT_MIGRATED or DB_TOO_NEW. */
  migrations(): Promise<unknown>;
  /** Of the worker in the same process: rejects when it takes no work. */
  worker?(): Promise<unknown>;
  /** True from the moment a shutdown began. */
  isStopping?(): boolean;
}

export interface PartHealth {
  readonly status: 'ok' | 'failing';
  readonly code?: string;
  readonly message?: string;
  readonly remedy?: string;
  readonly warnings?: readonly string[];
}

export interface Readiness {
  readonly status: 'ready' | 'not ready';
  readonly parts: Readonly<Record<string, PartHealth>>;
}

export interface Health {
  readiness(): Promise<Readiness>;
}

const LIMIT_MS = 3_000;
const KEPT_MS = 1_000;

export function createHealth(checks: HealthChecks, now: () => number): Health {
  let kept: { at: number; answer: Promise<Readiness> } | undefined;
  return {
    readiness() {
      if (kept === undefined || now() - kept.at > KEPT_MS) kept = { at: now(), answer: readReadiness(checks) };
      return kept.answer;
    },
  };
}

async function readReadiness(checks: HealthChecks): Promise<Readiness> {
  const [database, queue, migrations, worker] = await Promise.all([
    verdictOf(checks.database(), 'DB_UNAVAILABLE'),
    verdictOf(checks.queue(), 'QUEUE_UNAVAILABLE'),
    verdictOf(checks.migrations(), 'DB_UNAVAILABLE'),
    checks.worker && verdictOf(checks.worker(), 'QUEUE_UNAVAILABLE'),
  ]);
  const parts: Record<string, PartHealth> = { database, queue, migrations, ...defined({ worker }) };
  if (checks.isStopping?.() === true)
    parts.process = { status: 'failing', message: 'The process is shutting down.', remedy: 'Nothing.' };
  const isReady = Object.values(parts).every((part) => part.status === 'ok');
  return { status: isReady ? 'ready' : 'not ready', parts };
}

async function verdictOf(
  check: Promise<unknown>,
  silentCode: 'DB_UNAVAILABLE' | 'QUEUE_UNAVAILABLE',
): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<PartHealth>((resolve) => {
    timer = setTimeout(() => {
      resolve(failing(silentCode, `No answer within ${String(LIMIT_MS / 1_000)} s.`));
    }, LIMIT_MS);
  });
  try {
    return await Promise.race([limit, check.then(toOk, toFailing)]);
  } finally {
    clearTimeout(timer);
  }
}

function toOk(answer: unknown): PartHealth {
  const warnings = Array.isArray(answer) ? answer.filter((one) => typeof one === 'string') : [];
  return warnings.length === 0 ? { status: 'ok' } : { status: 'ok', warnings };
}

function toFailing(error: unknown): PartHealth {
  const { code, publicMessage } = toJobError(error);
  return failing(code, publicMessage);
}

function failing(code: keyof typeof errorTable, message: string): PartHealth {
  const remedy = errorTable[code].nextStep;
  // Combined here: the command line, which has no field for the remedy, gets both in one text.
  return { status: 'failing', code, message: message.replace(remedy, '').trim(), remedy };
}
