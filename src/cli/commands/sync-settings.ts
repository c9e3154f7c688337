/**
 * `keyferry sync create|update`: the options of a sync, from the command line to what the client
 * takes.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import { refuse } from '../../client/input.ts';
import { findSyncChangeProblems, findSyncProblems } from '../../client/syncs.ts';
import { defined } from '../../domain/defined.ts';
import { type DestinationName, destinationNames } from '../../domain/destinations/names.ts';
import { type ConditionalField, idleSettings } from '../../domain/sync/idle-settings.ts';
import { allKinds, destinations, findDestination, kindsOf, mappingOf } from '../../domain/destinations/registry.ts';
import type { SyncOptions } from '../../domain/sync/config.ts';
import { collect, done, leaf, runWithClient, text, type ClientInvocation, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { regionName } from '../options.ts';
import { describeSync } from '../sync-report.ts';
import { withTimeout } from '../waiting.ts';
import { deletionBy } from './sync-update-deletions.ts';
import { placeOf, withPlace } from './secrets.ts';
import { previewFirstRun } from './sync-preview.ts';
import type { CreateSync, Sync } from '../../client/types/sync.ts';

const cliNames = [...new Set(allKinds.map((kind) => destinations[kind.destination].cliName))];

function withOptions(command: Command): Command {
  return command
    .option('--region <region>', 'AWS region', regionName)
    .option('--prefix <prefix>', 'parameter path such as /app/prod/, or prefix of secret names')
    .option('--mapping <mapping>', 'Secrets Manager: one-to-one or many-to-one')
    .option('--secret-name <name>', 'many-to-one: the one secret')
    .option('--key-schema <schema>', "name at AWS, as 'APP_{{secretKey}}'")
    .option('--recursive', 'with the folders below; their names keep the path')
    .option('--include <pattern>', "only these secrets, as 'DB_*' or 'api/**'; repeatable", collect)
    .option('--exclude <pattern>', 'not these; repeatable', collect)
    .option('--kms-key <key>', 'KMS key id, alias or ARN')
    .option('--tag <k=v>', 'tag on every object; repeatable', collectTag)
    .option('--metadata-as-tags', 'write metadata of secrets as tags')
    .option('--no-delete', 'never delete at AWS')
    .option('--on-existing <choice>', 'fail (default) or adopt objects that exist already')
    .option('--drift <choice>', 'detect (default) or repair')
    .option(
      '--initial <behavior>',
      'overwrite-destination (default), import-prioritize-source or import-prioritize-destination',
    )
    .option('--tier <tier>', 'parameters: standard (default), advanced or intelligent')
    .option('--recovery-days <days>', 'secrets: 7 (default) to 30, or force')
    .option(
      '--replica-region <region[=key]>',
      'secrets: replicate to this region, under this KMS key; repeatable',
      collect,
    );
}

export function addCreate(noun: Command): void {
  const command = withOptions(
    withPlace(leaf(noun, 'create', 'keep an AWS destination equal to a folder'))
      .requiredOption('--name <name>', 'unique within the project')
      .requiredOption('--connection <connection>', 'name or id')
      .addOption(new Option('--to <service>', cliNames.join(' or ')).choices(cliNames).makeOptionMandatory()),
  )
    .option('--description <text>', 'for people')
    .option('--no-auto', 'sync only when requested')
    .option('--paused', 'create it paused: preview with `sync plan`, start with `sync resume`')
    .option(
      '--preview',
      'create it paused, show what its first run would write, and ask on a terminal whether to start it',
    );
  const create = async (invocation: ClientInvocation) => {
    const { client, options, output } = invocation;
    const sync = await client.syncs.create(toInput(options) as CreateSync);
    if (options.preview === true) return previewFirstRun(invocation, sync);
    output.result(sync, () => describeSync(sync));
    return done;
  };
  runWithClient(withTimeout(command), create, (options) => {
    const destination = findDestination(text(options, 'to') ?? '');
    if (destination === undefined) return findSyncProblems(toInput(options));
    const idle = [
      ...findIdleOptions(destination, text(options, 'mapping'), options),
      ...findBareNames(destination, options),
    ];
    return [...idle, ...findSyncProblems(toInput(options))];
  });
}

function toInput(options: Options) {
  const destination = findDestination(text(options, 'to') ?? '');
  return {
    name: text(options, 'name') ?? '',
    ...(text(options, 'description') === undefined ? {} : { description: text(options, 'description') ?? null }),
    connection: text(options, 'connection') ?? '',
    source: placeOf(options),
    destination,
    destinationConfig: destination && toDestination(destination, options),
    syncOptions: toSyncOptions(options),
    isAutoSyncEnabled: options.auto !== false,
    isPaused: options.paused === true || options.preview === true,
  };
}

const optionOf: Readonly<Record<ConditionalField, string>> = {
  'destinationConfig.mappingBehavior': 'mapping',
  'destinationConfig.prefix': 'prefix',
  'destinationConfig.secretName': 'secretName',
  'syncOptions.tier': 'tier',
  'syncOptions.recoveryDays': 'recoveryDays',
  'syncOptions.syncSecretMetadataAsTags': 'metadataAsTags',
  'syncOptions.replicaRegions': 'replicaRegion',
  'syncOptions.replicaKeys': 'replicaRegion',
};

/** What was given and does nothing, its default, too. The schema refuses an unknown mapping. */
export function findIdleOptions(
  destination: DestinationName,
  mapping: string | undefined,
  options: Options,
): readonly string[] {
  const [first, ...others] = kindsOf(destination);
  const kind = others.find((one) => one.mapping === mapping) ?? first;
  if (kind === undefined) return [];
  const fields = (Object.keys(optionOf) as ConditionalField[]).filter(
    (field) => options[optionOf[field]] !== undefined,
  );
  return idleSettings(kind, new Set(fields));
}

/** One AWS secret per key, named by the key alone, is seldom intended, so it must be asked for. */
function findBareNames(destination: DestinationName, options: Options): readonly string[] {
  const [first] = kindsOf(destination);
  if (first?.mapping === undefined || first.nameField.option !== 'prefix') return [];
  if (['mapping', 'prefix', 'keySchema'].some((option) => options[option] !== undefined)) return [];
  return [
    `--prefix is missing: secrets of AWS would be named by their keys alone. Give --prefix, or --mapping ${first.mapping} if that is meant`,
  ];
}

/** A mapping that the destination does not have is left for the schema to refuse. */
function toDestination(destination: DestinationName, options: Options): Record<string, unknown> {
  const region = text(options, 'region');
  const [first, ...others] = kindsOf(destination);
  const mapping = first?.mapping === undefined ? undefined : (text(options, 'mapping') ?? first.mapping);
  const kind = others.find((one) => one.mapping === mapping) ?? first;
  const name = kind && text(options, kind.nameField.option);
  return {
    region,
    ...defined({ mappingBehavior: mapping }),
    ...(kind && name !== undefined ? { [kind.nameField.field]: name } : {}),
  };
}

/** Only what was given, so that an update leaves the rest alone; the schemas judge the values. */
function toSyncOptions(options: Options): Record<string, unknown> {
  const recovery = text(options, 'recoveryDays');
  const given: Record<string, unknown> = {
    keySchema: emptied(text(options, 'keySchema')),
    recursive: options.recursive,
    include: toPatterns(options.include),
    exclude: toPatterns(options.exclude),
    keyId: emptied(text(options, 'kmsKey')),
    tags: Array.isArray(options.tag) ? options.tag.map((tag) => toTag(String(tag))) : undefined,
    syncSecretMetadataAsTags: options.metadataAsTags,
    disableSecretDeletion: options.delete === false ? true : undefined,
    onExisting: text(options, 'onExisting'),
    drift: text(options, 'drift'),
    initialSyncBehavior: text(options, 'initial'),
    tier: text(options, 'tier'),
    recoveryDays: recovery === undefined || recovery === 'force' ? recovery : Number(recovery),
    ...toReplicas(options.replicaRegion),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** An empty text removes the setting. */
const emptied = (given: string | undefined): string | null | undefined => (given === '' ? null : given);

/** An empty pattern removes the setting. */
function toPatterns(given: unknown): unknown {
  return Array.isArray(given) && given.every((pattern) => pattern === '') ? null : given;
}

/** `us-east-1` or `us-east-1=alias/app` */
function toReplicas(given: unknown): Pick<SyncOptions, 'replicaRegions' | 'replicaKeys'> {
  if (!Array.isArray(given)) return {};
  const replicas = given.map((one) => splitOnce(String(one)));
  const keys = replicas.flatMap(([region, key]) => (key === undefined ? [] : [[region, key] as const]));
  return {
    replicaRegions: replicas.map(([region]) => region),
    ...(keys.length === 0 ? {} : { replicaKeys: Object.fromEntries(keys) }),
  };
}

function splitOnce(given: string): readonly [string, string | undefined] {
  const at = given.indexOf('=');
  return at < 0 ? [given, undefined] : [given.slice(0, at), given.slice(at + 1)];
}

function collectTag(tag: string, previous: readonly string[] = []): readonly string[] {
  if (tag.indexOf('=') < 1) throw new InvalidArgumentError('It must be key=value.');
  return collect(tag, previous);
}

/** Checked as an option. */
function toTag(tag: string): { key: string; value: string } {
  const at = tag.indexOf('=');
  return { key: tag.slice(0, at), value: tag.slice(at + 1) };
}

export function addUpdate(noun: Command): void {
  const command = withOptions(
    leaf(noun, 'update <name>', 'change a sync; objects under old names are deleted after the new ones are written'),
  )
    .option('--rename <name>', 'the new name')
    .option('--connection <connection>', 'another connection, by name or id')
    .option('--description <text>', 'for people')
    .option('--no-recursive', 'without the folders below')
    .option('--delete', 'delete again at AWS what is gone from the folder');
  const update = async (invocation: ClientInvocation) => {
    const { args, client, options, output } = invocation;
    const before = await client.syncs.get(args[0] ?? '');
    refuse(findIdleOptions(before.destination, mappingAfter(before, options), options));
    const hasDestination = ['region', 'prefix', 'mapping', 'secretName'].some(
      (option) => options[option] !== undefined,
    );
    const destination = hasDestination ? { destinationConfig: mergeDestination(before, options) } : {};
    const consequence = deletionBy(options, before, { ...before, ...(destination as Partial<Sync>) });
    if (consequence !== undefined) await confirm(invocation, consequence);
    const sync = await client.syncs.update(
      before.id,
      { ...toChanges(options), ...destination },
      hasDestination ? { ifVersion: before.version } : {},
    );
    output.result(sync, () => describeSync(sync));
    return done;
  };
  runWithClient(withConfirmation(command), update, (options) => [
    ...findUseless(options),
    ...findSyncChangeProblems(toChanges(options)),
  ]);
}

function toChanges(options: Options) {
  const syncOptions = {
    // Regions that are given without keys replace those that had some.
    ...(options.replicaRegion === undefined ? {} : { replicaKeys: null }),
    ...toSyncOptions(options),
    ...(options.delete === true ? { disableSecretDeletion: false } : {}),
  };
  return {
    ...defined({
      name: text(options, 'rename'),
      connection: text(options, 'connection'),
      description: text(options, 'description'),
    }),
    ...(Object.keys(syncOptions).length > 0 ? { syncOptions } : {}),
  };
}

/** Options that no sync takes together, whatever its destination: those of the nearest kind. */
export function findUseless(options: Options): readonly string[] {
  const mapping = text(options, 'mapping');
  const mappings = allKinds.flatMap((kind) => kind.mapping ?? []);
  if (mapping !== undefined && !mappings.some((one) => one === mapping))
    return [`--mapping must be one of ${mappings.join(', ')}`];
  const found = destinationNames.map((destination) => findIdleOptions(destination, mapping, options));
  const [fewest = []] = found.toSorted((a, b) => a.length - b.length);
  return fewest;
}

function mappingAfter({ destinationConfig }: Pick<Sync, 'destinationConfig'>, options: Options): string | undefined {
  const before = mappingOf(destinationConfig);
  return text(options, 'mapping') ?? (typeof before === 'string' ? before : undefined);
}

function mergeDestination({ destination, destinationConfig: before }: Sync, options: Options): Record<string, unknown> {
  const oldMapping = mappingOf(before);
  const mapping = mappingAfter({ destinationConfig: before }, options);
  const given = Object.entries(toDestination(destination, { ...options, ...defined({ mapping }) })).filter(
    ([, value]) => value !== undefined,
  );
  // Under another mapping the fields of the old one mean nothing: only the region stays.
  const kept = oldMapping === undefined || oldMapping === mapping ? before : { region: before.region };
  return { ...kept, ...Object.fromEntries(given) };
}
