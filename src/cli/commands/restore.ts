/**
 * `keyferry restore …`: what this database is after it was moved, restored or copied, and what a
 * person says it is.
 */
import { type Command, Option } from 'commander';

import {
  createInstallationGuard,
  type CheckedInstallation,
  type InstallationGuard,
  type InstallationSummary,
} from '../../db/installation-guard.ts';
import { counted } from '../../domain/counted.ts';
import {
  type Acceptance,
  acceptances,
  type AcceptInput,
  findAcceptProblem,
  guardText,
  judgeInstallation,
  toGuard,
} from '../../domain/installation.ts';
import { JobError } from '../../errors.ts';
import { done, leaf, readConfig, run, text, withProgram, type Invocation } from '../command.ts';
import type { ExitCode } from '../exit.ts';
import { fields } from '../output.ts';
import { personName } from '../person.ts';

export function addRestoreCommands(noun: Command): void {
  run(leaf(noun, 'status', 'which installation this database is, and whether workers are guarded'), status);
  run(
    leaf(noun, 'accept', 'say what the database is, and let workers change AWS again; shows the plan first')
      .addOption(new Option('--as <kind>', acceptances.join(', ')).choices([...acceptances]).makeOptionMandatory())
      .option('--counter <n>', 'with --as moved: the counter in the last line of the worker that stopped last')
      .option('--name <name>', 'new name of the installation, as in KEYFERRY_INSTALLATION')
      .option('--confirm <text>', 'what the plan asks for'),
    accept,
  );
}

interface InstallationReport extends CheckedInstallation {
  readonly workers: number;
  readonly summary: InstallationSummary;
}

async function status(invocation: Invocation): Promise<ExitCode> {
  return withGuard(invocation, async (guard, name) => {
    const report = await reportOn(guard, name);
    invocation.output.result(toDocument(report), () => describe(report));
    return done;
  });
}

async function accept(invocation: Invocation): Promise<ExitCode> {
  const { options, output } = invocation;
  const as = text(options, 'as') as Acceptance;
  const input = {
    as,
    counter: parseCounter(text(options, 'counter')),
    name: text(options, 'name'),
    confirmed: text(options, 'confirm'),
  };
  return withGuard(invocation, async (guard, name) => {
    const report = await reportOn(guard, name);
    const full: AcceptInput = { ...input, runningWorkers: report.workers };
    const problem = findAcceptProblem(report.record, full);
    if (problem === undefined) {
      if (report.record.guardReason !== null) await guard.raise(report.record.guardReason);
      const { row } = await guard.accept({ as, actor: personName(), name: input.name });
      output.result({ acceptedAs: as, id: row.id, epoch: row.epoch, name: row.name }, () =>
        [`The database is accepted as ${as}.`, ...plans[as](report.summary), 'Start the workers.'].join('\n'),
      );
      return done;
    }
    output.note([`Plan of --as ${as}:`, ...plans[as](report.summary).map((line) => `  - ${line}`)].join('\n'));
    throw new JobError('DB_NOT_ACCEPTED', { message: problem });
  });
}

/** What an acceptance does, in the order in which it shows. */
const plans: Readonly<Record<Acceptance, (summary: InstallationSummary) => readonly string[]>> = {
  moved: () => ['Only the recorded server changes: workers resume where they stopped.'],
  restored: ({ ownedObjects, syncs, rotations }) => [
    `A new epoch begins: ${counted(syncs, 'sync compares', 'syncs compare')} ${counted(ownedObjects, 'object')} with AWS before the first write.`,
    'What keyferry wrote after the backup was taken is listed for a person where it differs from the folder; nothing is overwritten.',
    `${counted(rotations, 'rotation finds', 'rotations find')} out which key is in use; nothing is deactivated or deleted before that is certain.`,
  ],
  clone: ({ ownedObjects, syncs, rotations, openRequests }) => [
    'The database becomes an installation of its own, with a new id.',
    `It owns nothing of what is at AWS any more: ${counted(ownedObjects, 'object belongs', 'objects belong')} to the original.`,
    `Paused: ${counted(syncs, 'sync')} and ${counted(rotations, 'rotation')}. Closed: ${counted(openRequests, 'open request')}. Folders, connections and encryption keys stay.`,
  ],
};

async function withGuard(
  invocation: Invocation,
  use: (guard: InstallationGuard, name: string | undefined) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = await readConfig(invocation);
  return withProgram(config, 'error', async ({ stores }) => {
    const { requireCurrentSchema } = await import('../../db/migrate.ts');
    await requireCurrentSchema(config.databaseUrl);
    return use(createInstallationGuard(stores.database.db), config.installation);
  });
}

/**
 * With the guard that the next worker would raise, so that a restored database can be accepted
 * before one starts.
 */
async function reportOn(guard: InstallationGuard, name: string | undefined): Promise<InstallationReport> {
  const [checked, workers, summary] = await Promise.all([guard.look(), guard.countWorkers(), guard.summary()]);
  const { record, server } = checked;
  const seen = { seenCounter: record.counter, lostMs: 0, isGuardAsked: false };
  const verdict = judgeInstallation(record, { server, name, ...seen });
  const guardReason = verdict.kind === 'guard' ? verdict.reason : null;
  return { ...checked, record: { ...record, guardReason }, workers, summary };
}

function toDocument({ row, record, server, workers, summary }: InstallationReport) {
  const { id, name, epoch, epochStartedAt, counter, guardedAt } = row;
  const { guardReason } = record;
  const recorded = { systemIdentifier: row.systemIdentifier, database: row.databaseName, timeline: row.timeline };
  return { id, name, epoch, epochStartedAt, counter, guardReason, guardedAt, recorded, server, workers, ...summary };
}

function describe({ row, record, server, workers, summary }: InstallationReport): string {
  const { guardReason } = record;
  const verdict =
    guardReason === null ? 'not guarded: workers may change AWS' : `GUARDED: ${guardText({ reason: guardReason })}`;
  const next =
    guardReason === null ? '' : `\n\nStop every worker, then: ${toGuard({ ...row, guardReason })?.command ?? ''}`;
  return `${fields([
    ['installation', row.id],
    ['name', row.name ?? 'none (KEYFERRY_INSTALLATION)'],
    ['epoch', row.epoch],
    ['counter', row.counter],
    ['last worker', row.seenAt],
    ['server', compared(row.systemIdentifier, server.systemIdentifier)],
    ['database', compared(row.databaseName, server.database)],
    ['timeline', compared(row.timeline, server.timeline)],
    ['worker sessions', workers],
    ['owned objects', summary.ownedObjects],
  ])}\n\n${verdict}${next}`;
}

function compared(recorded: string | number | null, now: string | number | null): string {
  if (now === null) return 'not shown to this role';
  if (recorded === null || recorded === now) return String(now);
  return `${String(now)}, was ${String(recorded)}`;
}

function parseCounter(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw new JobError('PAYLOAD_INVALID', { message: '--counter takes the whole number that a worker logged.' });
}
