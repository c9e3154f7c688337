/**
 * Records which AWS identity this worker uses: at its first use, when its key changes, and once an
 * hour. Passive: an identity that no work has needed is not resolved, so a worker whose connections
 * all have their own keys never resolves one.
 */
import type { AwsAccess } from '../../aws/session.ts';
import type { BaseIdentities } from '../../db/base-identities.ts';
import {
  baseKinds,
  type BaseReport,
  describeBaseKey,
  keyAgeWarning,
  type SeenBaseIdentity,
} from '../../domain/connection/base-identity.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';

export interface BaseIdentityWatchDependencies {
  readonly aws: Pick<AwsAccess, 'baseKeyInUse' | 'baseReport'>;
  readonly identities: Pick<BaseIdentities, 'record'>;
  readonly log: Log;
  now?(): Date;
  readonly times?: BaseIdentityWatchTimes;
}

export interface BaseIdentityWatchTimes {
  readonly lookEveryMs: number;
  readonly recordEveryMs: number;
}

const DEFAULT_TIMES: BaseIdentityWatchTimes = { lookEveryMs: 15_000, recordEveryMs: 3_600_000 };

export interface BaseIdentityWatch {
  /** Checks now; for tests. */
  look(): Promise<void>;
  stop(): void;
}

export function startBaseIdentityWatch(deps: BaseIdentityWatchDependencies): BaseIdentityWatch {
  const { aws, identities, log, now = () => new Date(), times = DEFAULT_TIMES } = deps;
  let last: { readonly key: string; readonly name: string; readonly at: number } | undefined;

  async function look(): Promise<void> {
    const key = aws.baseKeyInUse();
    const at = now();
    if (key === undefined || (last?.key === key && at.getTime() - last.at < times.recordEveryMs)) return;
    try {
      const report = await aws.baseReport();
      const seen = await identities.record(report);
      const name = `${report.kind} ${report.accessKeyId ?? report.arn}`;
      if (last?.name !== name) announce(log, { ...report, ...seen }, { at, isChange: last !== undefined });
      last = { key, name, at: at.getTime() };
    } catch (error) {
      // Whether the identity works is reported where it is used.
      log.debug({ err: toJobError(error) }, 'the worker’s own AWS identity could not be recorded');
    }
  }

  const timer = setInterval(() => void look(), times.lookEveryMs);
  timer.unref();
  return {
    look,
    stop: () => {
      clearInterval(timer);
    },
  };
}

type Announced = BaseReport & Partial<Pick<SeenBaseIdentity, 'firstSeenAt'>>;

function announce(
  log: Log,
  report: Announced,
  { at, isChange }: { readonly at: Date; readonly isChange: boolean },
): void {
  const { kind, arn } = report;
  log.info(
    { kind, arn, message: describeBaseKey(report, at) },
    `${isChange ? 'the worker’s own AWS identity changed' : 'the worker’s own AWS identity'}: ${baseKinds[kind]}`,
  );
  const warning = keyAgeWarning(report, at);
  if (warning !== undefined) log.warn({ message: warning }, 'the worker’s own access key is old');
}
