/** `keyferry sync …` */
import { type Command, Option } from 'commander';

import { isUnderWay } from '../../domain/run.ts';
import { shownState } from '../../domain/sync/ledger.ts';
import { done, leaf, runWithClient, text, type ClientInvocation } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { saidOf } from '../flags.ts';
import { deletions, limitOption } from '../options.ts';
import { table, upcoming } from '../output.ts';
import { describePlan, describeRun, type PlanDocument } from '../reports.ts';
import { describeSync, withListBelow } from '../sync-report.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { waitForRun, withWaiting } from '../waiting.ts';
import { addLifetime, hintsOf } from './sync-lifetime.ts';
import { addCreate, addUpdate } from './sync-settings.ts';
import type { EntryStatus } from '../../db/status/details.ts';
import type { RunRecord } from '../../client/types/run.ts';
import type { Sync, SyncRequestKind } from '../../client/types/sync.ts';

export function addSyncCommands(noun: Command): void {
  addCreate(noun);
  addUpdate(noun);
  addRuns(noun);
  addShowing(noun);
  addLifetime(noun);
}

function addRuns(noun: Command): void {
  const command = (verb: string, description: string) => withWaiting(leaf(noun, `${verb} <name>`, description));
  const sync = command('run', 'sync now')
    .option('--confirm-deletions <n>', 'confirm that the plan deletes this many objects', deletions)
    .addOption(
      new Option('--accept-destination', 'after a restore: take what AWS holds into the folder').conflicts(
        'acceptSource',
      ),
    )
    .option('--accept-source', 'after a restore: write the folder’s values over what AWS holds');
  runWithClient(withConfirmation(sync), runSync);
  runWithClient(command('check', 'check for drift now'), (invocation) => perform(invocation, 'check', {}));
  runWithClient(withConfirmation(command('remove', 'delete at AWS what this sync wrote')), async (invocation) => {
    await confirm(invocation, `Everything that ${invocation.args[0] ?? ''} wrote is deleted at AWS.`);
    return perform(invocation, 'remove', {});
  });
  addImport(command('import', 'read the destination into the folder'));
  runWithClient(
    command('plan', 'what a run would change; never writes').option('--exit-code', 'exit 3 when there are changes'),
    plan,
  );
}

function addImport(command: Command): void {
  command.addOption(
    new Option('--prioritize <side>', 'which side wins where both have a value')
      .choices(['source', 'destination'])
      .default('source'),
  );
  runWithClient(withConfirmation(command), async (invocation) => {
    const importBehavior = `prioritize-${text(invocation.options, 'prioritize') ?? 'source'}`;
    if (importBehavior === 'prioritize-destination') await confirm(invocation, takenFromAws(invocation));
    return perform(invocation, 'import', { importBehavior });
  });
}

const takenFromAws = ({ args: [name = ''] }: ClientInvocation): string =>
  `Where both have a value, the folder of ${name} takes the values that AWS holds.`;

async function runSync(invocation: ClientInvocation): Promise<ExitCode> {
  const { options } = invocation;
  const confirmed = text(options, 'confirmDeletions');
  if (options.acceptDestination === true) {
    await confirm(invocation, takenFromAws(invocation));
    return perform(invocation, 'import', { acceptDestination: true });
  }
  if (options.acceptSource === true)
    await confirm(invocation, `${invocation.args[0] ?? ''} overwrites what AWS holds.`);
  return perform(invocation, 'sync', {
    ...(confirmed === undefined ? {} : { confirmDeletions: Number(confirmed) }),
    ...(options.acceptSource === true ? { acceptSource: true } : {}),
  });
}

async function perform(
  invocation: ClientInvocation,
  kind: SyncRequestKind,
  parameters: Record<string, unknown>,
): Promise<ExitCode> {
  const {
    args: [name = ''],
    client,
    output,
  } = invocation;
  const run = await request(invocation, name, { kind, parameters });
  if (!run) return done;
  const sync = await client.syncs.get(name);
  output.result(run, () => `${describeRun(run, { kind: 'sync', name })}\ndrift    ${sync.drift}`);
  return run.status === 'succeeded' ? exitCodes.done : exitCodes.failed;
}

async function request(
  invocation: ClientInvocation,
  name: string,
  wish: { kind: SyncRequestKind; parameters: Record<string, unknown> },
): Promise<RunRecord | undefined> {
  const { client, options, output } = invocation;
  const requestId = await client.syncs.request(wish.kind, name, wish.parameters);
  if (options.wait !== false) return waitForRun(invocation, requestId, hintsOf(name));
  output.result({ requestId }, () => `Request ${requestId}.`);
  return undefined;
}

async function plan(invocation: ClientInvocation): Promise<ExitCode> {
  const {
    args: [name = ''],
    options,
    output,
  } = invocation;
  const run = await request(invocation, name, { kind: 'plan', parameters: {} });
  if (!run) return done;
  if (run.result === null) {
    output.result(run, () => describeRun(run, { kind: 'sync', name }));
    return exitCodes.failed;
  }
  const document = { sync: name, ...(run.result as PlanDocument) };
  output.result(document, () => describePlan(document, { kind: 'sync', name }));
  return options.exitCode === true && document.changes.length > 0 ? exitCodes.hasChanges : done;
}

/** Plans may be among the newest runs. */
const RUNS_SEEN = 20;

function addShowing(noun: Command): void {
  runWithClient(
    leaf(noun, 'show <name>', 'everything known about a sync').addOption(
      limitOption('how many entries, those with a message first; --json has all'),
    ),
    async ({ args: [name = ''], client, options, output, program }) => {
      const sync = await client.syncs.get(name);
      const { createStatusQueries } = await import('../../db/status/queries.ts');
      const entries = await createStatusQueries(program.stores.database.db)
        .entries(sync.id, 10_000)
        .then((page) => page.rows);
      const lastRun = (await client.history.runs({ subject: sync.id, limit: RUNS_SEEN })).find(
        ({ kind }) => kind !== 'plan',
      );
      output.result({ ...sync, lastRun: lastRun ?? null, entries }, () => {
        const list = describeEntries(sync, entries, Number(options.limit));
        return `${withListBelow(describeSync(sync))}${lastRun ? `\n\n${isUnderWay(lastRun) ? 'run under way' : 'last run'}\n${withListBelow(describeRun(lastRun, { kind: 'sync', name }))}` : ''}${list}`;
      });
      return done;
    },
  );
  addList(noun);
}

function describeEntries(sync: Pick<Sync, 'name'>, entries: readonly EntryStatus[], limit: number): string {
  if (entries.length === 0) return '';
  const troubled = (entry: EntryStatus) => (entry.errorMessage === null && entry.drift === null ? 1 : 0);
  const shown = entries.toSorted((a, b) => troubled(a) - troubled(b)).slice(0, limit);
  const rows = shown.map((entry) => [
    ...[
      entry.key,
      entry.remoteName,
      shownState(entry),
      entry.remoteVersion,
      entry.writtenAt,
      saidOf('sync', sync, entry.errorMessage),
    ],
  ]);
  const left = entries.length - shown.length;
  const more = left === 0 ? '' : `\n\n${left.toLocaleString('en-US')} more: see them with --limit or --json.`;
  return `\n\n${table(['KEY', 'REMOTE NAME', 'STATUS', 'VERSION', 'WRITTEN', 'MESSAGE'], rows)}${more}`;
}

function addList(noun: Command): void {
  runWithClient(leaf(noun, 'list', 'all syncs'), async ({ client, output }) => {
    const syncs = await client.syncs.list();
    output.result(syncs, () =>
      table(
        ['NAME', 'DESTINATION', 'CONNECTION', 'STATUS', 'DRIFT', 'SYNCED', 'NEXT', 'MESSAGE'],
        syncs.map((one) => [
          one.name,
          one.destination,
          one.connectionName,
          one.syncStatus,
          one.drift,
          one.lastSyncedAt,
          upcoming(one.nextDueAt, { isRunning: one.syncStatus === 'running' }),
          saidOf('sync', one, one.statusMessage),
        ]),
      ),
    );
    return done;
  });
}
