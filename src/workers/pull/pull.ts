/**
 * One pull: reads the source, replaces the secrets of its folder by what it holds, and settles the
 * row. A source that cannot be read, or whose answer is refused, changes nothing.
 */
import type { Folders } from '../../db/folders.ts';
import type { PullOutcome } from '../../db/pull-settlement.ts';
import type { ClaimedSource } from '../../db/pull-claims.ts';
import type { Sources } from '../../db/sources.ts';
import { type SourceSettings, valuesProblem } from '../../domain/sources.ts';
import { toJobError } from '../../errors.ts';
import type { Log } from '../../observe/log.ts';
import { answerRefused, createAsk, type AskOptions } from './ask.ts';
import { readHttp } from './kinds/http.ts';
import { createInfisical, type Infisical } from './kinds/infisical.ts';
import type { SourceAnswer, SourceReading } from './source.ts';

export interface PullDependencies {
  readonly folders: Pick<Folders, 'pullInto'>;
  readonly sources: Pick<Sources, 'settle'>;
  readonly network: AskOptions;
  readonly log: Log;
}

export type Pull = (claimed: ClaimedSource) => Promise<PullOutcome | undefined>;

/** The result is undefined when the lease was lost: another process or other settings take over. */
export function createPull(deps: PullDependencies): Pull {
  const infisical = createInfisical();
  return async (claimed) => {
    const { outcome, isSettled } = await toResult(() => pull(deps, infisical, claimed));
    const isHeld = isSettled || (outcome !== undefined && (await deps.sources.settle(claimed, outcome)));
    report(deps.log, claimed, isHeld ? outcome : undefined);
    return isHeld ? outcome : undefined;
  };
}

interface Result {
  readonly outcome: PullOutcome | undefined;
  /** With the write of the folder. */
  readonly isSettled: boolean;
}

async function toResult(pulled: () => Promise<Result>): Promise<Result> {
  try {
    return await pulled();
  } catch (thrown) {
    const error = toJobError(thrown);
    if (error.code === 'LEASE_LOST') return { outcome: undefined, isSettled: false };
    const status = error.code === 'SOURCE_DELETIONS_UNCONFIRMED' ? 'blocked' : 'failed';
    return { outcome: { status, error }, isSettled: false };
  }
}

async function pull(deps: PullDependencies, infisical: Infisical, claimed: ClaimedSource): Promise<Result> {
  const { source, folder } = claimed;
  // Whatever else wrote into the folder may need the values again.
  const etag = source.pulledRevision === folder.revision ? source.etag : null;
  const answer = await read(await claimed.settings(), infisical, {
    ask: createAsk(deps.network),
    etag,
    now: () => performance.now(),
  });
  if (answer.status === 'unchanged') {
    if (etag === null) throw answerRefused('it is 304, and nothing was asked that could be unchanged');
    const { revision } = folder;
    const changes = { set: 0, removed: 0 };
    const outcome = { status: 'succeeded', etag, revision, skippedKeys: source.skippedKeys, changes } as const;
    return { outcome, isSettled: false };
  }
  const problem = valuesProblem(answer.values);
  if (problem !== undefined) throw answerRefused(problem);
  const wanted = Object.entries(answer.values).map(([key, value]) => ({ key, value }));
  const { set, removed, ...change } = await deps.folders.pullInto(folder, wanted, {
    lease: claimed,
    etag: answer.etag,
  });
  const { revision, skippedKeys = [] } = change;
  const outcome = { status: 'succeeded', etag: answer.etag, revision, skippedKeys, changes: { set, removed } } as const;
  return { outcome, isSettled: set + removed > 0 };
}

function read(settings: SourceSettings, infisical: Infisical, reading: SourceReading): Promise<SourceAnswer> {
  switch (settings.kind) {
    case 'http':
      return readHttp(settings, reading);
    case 'infisical':
      return infisical(settings, reading);
  }
}

function report(log: Log, { source, folder }: ClaimedSource, outcome: PullOutcome | undefined): void {
  const about = { orgId: folder.orgId, folderId: folder.id, kind: source.kind };
  if (outcome === undefined) log.info(about, 'pull abandoned: its lease was lost');
  else if (outcome.status !== 'succeeded') log.warn({ ...about, err: outcome.error }, `pull ${outcome.status}`);
  else if (outcome.revision !== source.pulledRevision)
    log.info({ ...about, revision: outcome.revision, skipped: outcome.skippedKeys }, 'pull changed the folder');
}
