/** `keyferry sync …` */
import type { Command } from 'commander';

import type { RunRecord } from '../../client/views.ts';
import { createStatusQueries } from '../../db/status-queries.ts';
import { JobError } from '../../errors.ts';
import { collect, done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { table } from '../output.ts';
import { describePlan, describeRun, describeSync, type PlanDocument } from '../reports.ts';
import { waitOptions } from '../waiting.ts';
import { placeOf, withPlace } from './secrets.ts';

const destinations = { 'parameter-store': 'aws-parameter-store', 'secrets-manager': 'aws-secrets-manager' } as const;

export function addSyncCommands(parent: Command): void {
  const noun = parent.command('sync').description('what keeps AWS equal to a folder');
  addCreate(noun);
  addUpdate(noun);
  addRuns(noun);
  addShowing(noun);
  addLifetime(noun);
}

function withOptions(command: Command): Command {
  return command
    .option('--region <region>', 'AWS region')
    .option('--prefix <prefix>', 'parameter path such as /app/prod/, or prefix of secret names')
    .option('--mapping <mapping>', 'Secrets Manager: one-to-one or many-to-one')
    .option('--secret-name <name>', 'many-to-one: the one secret')
    .option('--key-schema <schema>', "name at AWS, as 'APP_{{secretKey}}'")
    .option('--kms-key <key>', 'KMS key id, alias or ARN')
    .option('--tag <k=v>', 'tag on every object; repeatable', collect)
    .option('--metadata-as-tags', 'write metadata of secrets as tags')
    .option('--no-delete', 'never delete at AWS')
    .option('--on-existing <choice>', 'fail (default) or adopt objects that exist already')
    .option('--drift <choice>', 'detect (default) or repair')
    .option('--initial <behavior>', 'overwrite-destination (default), import-prioritize-source or import-prioritize-destination')
    .option('--tier <tier>', 'parameters: standard (default), advanced or intelligent')
    .option('--recovery-days <days>', 'secrets: 7 (default) to 30, or force')
    .option('--replica-region <region>', 'secrets: replicate to this region; repeatable', collect);
}

function addCreate(noun: Command): void {
  const command = withOptions(
    withPlace(leaf(noun, 'create', 'keep an AWS destination equal to a folder'))
      .requiredOption('--name <name>', 'unique within the org')
      .requiredOption('--connection <connection>', 'name or id')
      .requiredOption('--to <service>', 'parameter-store or secrets-manager'),
  )
    .option('--description <text>')
    .option('--no-auto', 'sync only when asked');
  runWithClient(command, async ({ client, options, output }) => {
    const to = text(options, 'to') ?? '';
    if (!(to in destinations)) throw new JobError('PAYLOAD_INVALID', { message: '--to must be parameter-store or secrets-manager.' });
    const sync = await client.syncs.create({
      name: text(options, 'name') ?? '',
      ...(text(options, 'description') === undefined ? {} : { description: text(options, 'description') ?? null }),
      connection: text(options, 'connection') ?? '',
      source: placeOf(options),
      destination: destinations[to as keyof typeof destinations],
      destinationConfig: toDestination(to, options),
      syncOptions: toSyncOptions(options) as never,
      isAutoSyncEnabled: options.auto !== false,
    });
    output.result(sync, () => describeSync(sync));
    return done;
  });
}

function toDestination(to: string, options: Options): Record<string, unknown> {
  const region = text(options, 'region');
  if (to === 'parameter-store') return { region, path: text(options, 'prefix') };
  const mappingBehavior = text(options, 'mapping') ?? 'one-to-one';
  if (mappingBehavior === 'many-to-one') return { region, mappingBehavior, secretName: text(options, 'secretName') };
  const prefix = text(options, 'prefix');
  return { region, mappingBehavior, ...(prefix === undefined ? {} : { prefix }) };
}

/** Only what was given, so that an update leaves the rest alone; the schemas judge the values. */
function toSyncOptions(options: Options): Record<string, unknown> {
  const recovery = text(options, 'recoveryDays');
  const given: Record<string, unknown> = {
    keySchema: text(options, 'keySchema'),
    keyId: text(options, 'kmsKey'),
    tags: Array.isArray(options.tag) ? options.tag.map((tag) => toTag(String(tag))) : undefined,
    syncSecretMetadataAsTags: options.metadataAsTags,
    disableSecretDeletion: options.delete === false ? true : undefined,
    onExisting: text(options, 'onExisting'),
    drift: text(options, 'drift'),
    initialSyncBehavior: text(options, 'initial'),
    tier: text(options, 'tier'),
    recoveryDays: recovery === undefined || recovery === 'force' ? recovery : Number(recovery),
    replicaRegions: options.replicaRegion,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function toTag(tag: string): { key: string; value: string } {
  const at = tag.indexOf('=');
  if (at < 1) throw new JobError('PAYLOAD_INVALID', { message: `--tag ${tag} must be key=value.` });
  return { key: tag.slice(0, at), value: tag.slice(at + 1) };
}

function addUpdate(noun: Command): void {
  const command = withOptions(leaf(noun, 'update <name>', 'change a sync; objects under old names are deleted after the new ones are written'))
    .option('--rename <name>')
    .option('--connection <connection>')
    .option('--description <text>')
    .option('--delete', 'delete again at AWS what is gone from the folder');
  runWithClient(command, async ({ args: [name = ''], client, options, output }) => {
    const before = await client.syncs.get(name);
    const hasDestination = ['region', 'prefix', 'mapping', 'secretName'].some((option) => options[option] !== undefined);
    const syncOptions = { ...toSyncOptions(options), ...(options.delete === true ? { disableSecretDeletion: false } : {}) };
    const sync = await client.syncs.update(before.id, {
      ...(text(options, 'rename') === undefined ? {} : { name: text(options, 'rename') }),
      ...(text(options, 'connection') === undefined ? {} : { connection: text(options, 'connection') }),
      ...(text(options, 'description') === undefined ? {} : { description: text(options, 'description') }),
      ...(hasDestination ? { destinationConfig: mergeDestination(before.destination, before.destinationConfig, options) } : {}),
      ...(Object.keys(syncOptions).length > 0 ? { syncOptions: syncOptions as never } : {}),
    });
    output.result(sync, () => describeSync(sync));
    return done;
  });
}

function mergeDestination(destination: string, before: object, options: Options): Record<string, unknown> {
  const to = destination === destinations['parameter-store'] ? 'parameter-store' : 'secrets-manager';
  const mapping = text(options, 'mapping') ?? ('mappingBehavior' in before ? String(before.mappingBehavior) : undefined);
  const given = Object.entries(toDestination(to, { ...options, ...(mapping === undefined ? {} : { mapping }) })).filter(([, value]) => value !== undefined);
  return { ...before, ...Object.fromEntries(given) };
}

function addRuns(noun: Command): void {
  const command = (verb: string, description: string) => leaf(noun, `${verb} <name>`, description).option('--no-wait', 'return the request’s id at once');
  runWithClient(
    command('run', 'sync now').option('--confirm-deletions <n>', 'confirm that the plan deletes this many objects'),
    async (invocation) => {
      const confirmed = text(invocation.options, 'confirmDeletions');
      return perform(invocation, 'sync', confirmed === undefined ? {} : { confirmDeletions: toCount(confirmed) });
    },
  );
  runWithClient(command('check', 'look for drift now'), (invocation) => perform(invocation, 'check', {}));
  runWithClient(command('remove', 'delete at AWS what this sync wrote'), (invocation) => perform(invocation, 'remove', {}));
  runWithClient(
    command('import', 'read the destination into the folder').option('--prioritize <side>', 'source or destination wins where both have a value', 'source'),
    (invocation) => perform(invocation, 'import', { importBehavior: toBehavior(text(invocation.options, 'prioritize')) }),
  );
  runWithClient(command('plan', 'what a run would change; never writes').option('--exit-code', 'exit 3 when there are changes'), plan);
}

function toCount(value: string): number {
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new JobError('PAYLOAD_INVALID', { message: '--confirm-deletions must be the number of deletions that the plan shows.' });
}

function toBehavior(side: string | undefined): string {
  if (side === 'source' || side === 'destination') return `prioritize-${side}`;
  throw new JobError('PAYLOAD_INVALID', { message: '--prioritize must be source or destination.' });
}

type RequestKind = 'sync' | 'check' | 'import' | 'remove' | 'plan';

async function perform(invocation: ClientInvocation, kind: RequestKind, parameters: Record<string, unknown>): Promise<ExitCode> {
  const { args: [name = ''], client, output } = invocation;
  const run = await request(invocation, name, { kind, parameters });
  if (!run) return done;
  const sync = await client.syncs.get(name);
  output.result(run, () => `${describeRun(run)}\ndrift    ${sync.drift}`);
  return run.status === 'succeeded' ? exitCodes.done : exitCodes.failed;
}

async function request(
  invocation: ClientInvocation,
  name: string,
  wish: { kind: RequestKind; parameters: Record<string, unknown> },
): Promise<RunRecord | undefined> {
  const { client, options, output } = invocation;
  const requestId = await client.syncs.request(wish.kind, name, wish.parameters);
  if (options.wait !== false) return client.runs.wait(requestId, waitOptions(invocation));
  output.result({ requestId }, () => `Request ${requestId}.`);
  return undefined;
}

async function plan(invocation: ClientInvocation): Promise<ExitCode> {
  const { args: [name = ''], options, output } = invocation;
  const run = await request(invocation, name, { kind: 'plan', parameters: {} });
  if (!run) return done;
  if (run.result === null) {
    output.result(run, () => describeRun(run));
    return exitCodes.failed;
  }
  const document = { sync: name, ...(run.result as PlanDocument) };
  output.result(document, () => describePlan(document));
  return options.exitCode === true && document.changes.length > 0 ? exitCodes.hasChanges : done;
}

function addShowing(noun: Command): void {
  runWithClient(leaf(noun, 'show <name>', 'everything known about a sync'), async ({ args: [name = ''], client, output, program }) => {
    const sync = await client.syncs.get(name);
    const entries = await createStatusQueries(program.stores.database.db).entries(sync.id, 10_000).then((page) => page.rows);
    const lastRun = sync.lastRunId === null ? undefined : await client.runs.get(sync.lastRunId);
    output.result({ ...sync, entries }, () => {
      const rows = entries.map((entry) => [entry.key, entry.remoteName, entry.status, entry.remoteVersion, entry.writtenAt, entry.errorMessage]);
      const list = entries.length === 0 ? '' : `\n\n${table(['KEY', 'REMOTE NAME', 'STATUS', 'VERSION', 'WRITTEN', 'MESSAGE'], rows)}`;
      return `${describeSync(sync)}${lastRun ? `\n\nlast run\n${describeRun(lastRun)}` : ''}${list}`;
    });
    return done;
  });
  runWithClient(leaf(noun, 'list', 'all syncs'), async ({ client, output }) => {
    const syncs = await client.syncs.list();
    output.result(syncs, () =>
      table(
        ['NAME', 'DESTINATION', 'CONNECTION', 'STATUS', 'DRIFT', 'SYNCED', 'NEXT', 'MESSAGE'],
        syncs.map((one) => [one.name, one.destination, one.connectionName, one.syncStatus, one.drift, one.lastSyncedAt, one.nextDueAt, one.statusMessage]),
      ),
    );
    return done;
  });
}

function addLifetime(noun: Command): void {
  for (const verb of ['pause', 'resume'] as const) {
    runWithClient(leaf(noun, `${verb} <name>`, `${verb} scheduled and automatic runs`), async ({ args: [name = ''], client, output }) => {
      const sync = await client.syncs[verb](name);
      output.result(sync, () => describeSync(sync));
      return done;
    });
  }
  const remove = leaf(noun, 'delete <name>', 'forget a sync; what it wrote stays at AWS unless --remove-secrets')
    .option('--remove-secrets', 'first delete at AWS what this sync wrote');
  runWithClient(remove, async (invocation) => {
    const { args: [name = ''], client, options, output } = invocation;
    const run = options.removeSecrets === true ? await client.syncs.remove(name, waitOptions(invocation)) : undefined;
    if (run && run.status !== 'succeeded') {
      output.result(run, () => `${describeRun(run)}\nThe sync was kept, because its objects could not all be removed.`);
      return exitCodes.failed;
    }
    await client.syncs.delete(name);
    output.result({ deleted: name, run: run ?? null }, () => `Deleted ${name}.`);
    return done;
  });
}
