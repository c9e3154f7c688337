/**
 * Watches whether this database is still the one that the installation's workers know: once before
 * the first job and once a minute, one statement each. While it is not, the worker is guarded: it
 * validates, checks and plans, and changes nothing at AWS until a person has run
 * `keyferry restore accept`.
 */
import type { Installation } from '../../db/installation.ts';
import type { CheckedInstallation, InstallationGuard } from '../../db/installation-guard.ts';
import { type GuardReason, guardReasons, isNewTimeline, judgeInstallation } from '../../domain/installation.ts';
import { JobError, toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';

const EVERY_MS = 60_000;

export interface InstallationWatchDependencies {
  readonly guard: Pick<InstallationGuard, 'look' | 'check' | 'raise' | 'startEpoch'>;
  /** KEYFERRY_INSTALLATION. */
  readonly name: string | undefined;
  /** `worker --guarded`. */
  readonly isGuardAsked: boolean;
  readonly log: Log;
  /** For tests. */
  readonly everyMs?: number;
}

/**
 * As the installation of every run: a lower counter and a failover are noticed at the first run,
 * not only after a minute.
 */
export interface InstallationWatch extends Installation {
  /** Why nothing may be changed at AWS now; undefined while it may. */
  guardReason(): GuardReason | undefined;
  /** Throws DB_GUARDED. */
  requireUnguarded(): void;
  /** The highest counter seen: what proves later that a moved database is complete. */
  counter(): number;
  /** Checks now; for tests. */
  check(): Promise<void>;
  stop(): void;
}

/**
 * Throws when PostgreSQL cannot be asked: a worker that does not know its database must not begin.
 */
export async function startInstallationWatch(deps: InstallationWatchDependencies): Promise<InstallationWatch> {
  let seenCounter = 0;
  let seenAt: Date | null = null;
  let reason: GuardReason | undefined;
  let isGuardAsked = deps.isGuardAsked;

  async function check(): Promise<void> {
    const { record, row, server, now } = await deps.guard.check({ name: deps.name, seenCounter, isGuardAsked });
    const lostMs = Math.max(0, (seenAt?.getTime() ?? 0) - (row.seenAt?.getTime() ?? 0));
    const verdict = judgeInstallation(record, { server, name: deps.name, seenCounter, lostMs, isGuardAsked });
    if (verdict.kind === 'guard') {
      if (record.guardReason === null) await deps.guard.raise(verdict.reason);
      guard(verdict.reason);
      return;
    }
    reason = undefined;
    if (verdict.kind === 'new-timeline' && server.timeline !== null) {
      deps.log.warn(
        { timeline: server.timeline },
        'PostgreSQL failed over; each subject compares itself with AWS once',
      );
      await deps.guard.startEpoch(server.timeline);
      seenCounter = 0;
      return check();
    }
    seenCounter = Math.max(seenCounter, record.counter);
    seenAt = now;
  }

  function guard(found: GuardReason): void {
    reason = found;
    // From here on the stored guard counts: accepting it ends this one too.
    isGuardAsked = false;
    deps.log.warn(
      { reason: found },
      `guarded: ${guardReasons[found]} Nothing is changed at AWS. Stop every worker, then run \`keyferry restore accept\`; \`keyferry restore status\` shows how.`,
    );
  }

  await check();
  const timer = setInterval(() => {
    check().catch((error: unknown) => {
      deps.log.warn({ err: toJobError(error) }, 'the installation could not be checked');
    });
  }, deps.everyMs ?? EVERY_MS);
  timer.unref();
  return {
    async get() {
      const look = await deps.guard.look();
      // A known guard is checked once a minute, not at every run.
      if (look.row.guardReason !== null || !isOlder(look, seenCounter)) return look.row;
      await check();
      return (await deps.guard.look()).row;
    },
    guardReason: () => reason,
    requireUnguarded() {
      if (reason !== undefined) throw guardedError(reason);
    },
    counter: () => seenCounter,
    check,
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** What the database lost may be what the next write depends on. */
function isOlder({ record, server }: CheckedInstallation, seenCounter: number): boolean {
  return record.counter < seenCounter || isNewTimeline(record.timeline, server.timeline);
}

export function guardedError(reason: GuardReason): JobError {
  return new JobError('DB_GUARDED', {
    message: `${guardReasons[reason]} Nothing was changed at AWS. See \`keyferry restore status\`, then \`keyferry restore accept\`.`,
  });
}
