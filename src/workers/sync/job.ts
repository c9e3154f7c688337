/**
 * Everything one sync run works with, gathered before its first call: the rows, the target, the
 * session, the ledger in memory. Nothing in it changes during the run; what does is the `Round`.
 */
import { isNarrowed } from '../../domain/connection/narrowing.ts';
import type { AwsAccess, AwsSession } from '../../aws/session.ts';
import type { PermissionProbes } from '../../aws/probes.ts';
import type { ParameterStore } from '../../aws/parameter-store.ts';
import type { SecretsManager } from '../../aws/secrets-manager.ts';
import type { Connections } from '../../db/connections.ts';
import type { FingerprintKeys } from '../../db/fingerprint-key.ts';
import type { Folders } from '../../db/folders.ts';
import type { Installation, InstallationRow } from '../../db/installation.ts';
import type { SyncEntries } from '../../db/sync/entries.ts';
import type { SourceFolder, SyncSource } from '../../db/sync/source.ts';
import type { ConnectionRow, SyncRow } from '../../db/engine/subjects.ts';
import type { Tombstones } from '../../db/sync/tombstones.ts';
import type { Fingerprinter } from '../../domain/fingerprint.ts';
import { targetOfSync } from '../../domain/connection/uses.ts';
import { mustCompare } from '../../domain/installation.ts';
import { sessionPolicyFor } from '../../domain/policy/session.ts';
import type { DestinationScope } from '../../domain/destinations/registry.ts';
import { partitionOfRegion } from '../../domain/partitions.ts';
import { syncOptions, type SyncOptions } from '../../domain/sync/config.ts';
import { type DesiredEntry, toDesired } from '../../domain/sync/desired.ts';
import type { Owner } from '../../domain/ownership.ts';
import type { DriftContext } from '../../domain/sync/inventory.ts';
import { type AwsLocation, isSamePlace, type LedgerEntry } from '../../domain/sync/ledger.ts';
import { parseSyncParameters, type SyncParameters } from '../../domain/sync/parameters.ts';
import type { PlanOptions } from '../../domain/sync/plan.ts';
import { continueProgress, type SyncProgress } from '../../domain/sync/progress.ts';
import { type Target, toTarget } from '../../domain/sync/target.ts';
import type { Run } from '../engine/processor.ts';
import { createFormerOwners, type FindFormerOwner } from './former-owners.ts';
import { createLedger, type Ledger } from './ledger.ts';

export interface SyncDependencies {
  readonly aws: AwsAccess;
  readonly probes: Pick<PermissionProbes, 'probe'>;
  openParameterStore(session: AwsSession): ParameterStore;
  openSecretsManager(session: AwsSession): SecretsManager;
  readonly connections: Pick<Connections, 'byId' | 'credentialsOf'>;
  readonly folders: Pick<Folders, 'get' | 'change' | 'importInto'>;
  readonly source: SyncSource;
  readonly entries: SyncEntries;
  readonly fingerprints: FingerprintKeys;
  readonly installation: Installation;
  readonly tombstones: Tombstones;
  readonly reconcileEveryMs: number;
}

/** What is known before anything is read of ledger, source or AWS. */
export interface SyncHead {
  readonly deps: SyncDependencies;
  readonly run: Run<'sync'>;
  readonly parameters: SyncParameters;
  readonly sync: SyncRow;
  readonly options: SyncOptions;
  readonly folder: SourceFolder;
  readonly connection: ConnectionRow;
  readonly target: Target;
  readonly installation: InstallationRow;
}

/** What a run reads first, and the same worker's next run of the same sync need not. */
export interface Remembered {
  readonly entries: readonly LedgerEntry[];
  readonly desired: readonly DesiredEntry[];
}

export interface SyncJob extends SyncHead {
  /** What is refused in this round is not tried again by its later slices. */
  readonly roundId: string;
  readonly place: AwsLocation;
  /** What the objects of this sync carry as their ownership tag. */
  readonly owner: Owner;
  readonly findFormerOwner: FindFormerOwner;
  readonly session: AwsSession;
  readonly fingerprint: Fingerprinter;
  readonly ledger: Ledger;
  readonly desired: readonly DesiredEntry[];
  readonly planOptions: PlanOptions;
}

/** What the journal of writes needs of a job. */
export type Journal = Pick<SyncJob, 'run' | 'ledger' | 'roundId'>;

/** Where the rows of new entries come from. */
export type RowOrigin = Pick<SyncJob, 'sync' | 'connection' | 'folder' | 'place'>;

export async function readHead(deps: SyncDependencies, run: Run<'sync'>): Promise<SyncHead> {
  const sync = run.subject;
  const [folder, connection, installation] = await Promise.all([
    deps.source.folder(sync),
    deps.connections.byId(sync.connectionId),
    deps.installation.get(),
  ]);
  // Defaults are filled in for rows that are older than an option.
  const options = syncOptions.parse(sync.syncOptions);
  const target = toTarget({ ...sync, syncOptions: options }, folder, [...folder.parts.keys()]);
  const parameters = parseSyncParameters(run.parameters);
  return { deps, run, parameters, sync, options, folder, connection, target, installation };
}

/**
 * The progress that the sync's last run left, if this run continues its round; else that of a new
 * round.
 */
export function startProgress(head: SyncHead): SyncProgress {
  const { sync, folder, run } = head;
  const basis = { revision: folder.revision, version: sync.version };
  // What was begun in an earlier epoch of the installation is begun again, with a comparison.
  return continueProgress(isOfThisEpoch(head) ? sync.progress : null, basis, run);
}

interface Opening {
  readonly roundId?: string;
  readonly remembered?: Remembered | undefined;
}

export async function openJob(head: SyncHead, { roundId, remembered }: Opening = {}): Promise<SyncJob> {
  const { deps, run, sync, folder, options, target } = head;
  const place = placeOf(head.connection, target);
  const acceptsSource = head.parameters.acceptSource === true;
  const [{ entries, desired }, fingerprint, uncertainKeys] = await Promise.all([
    remembered ?? readRemembered(head, place),
    deps.fingerprints.forOrg(sync.orgId),
    acceptsSource ? deps.source.uncertainKeys(folder) : [],
  ]);
  const owner: Owner = { installationId: head.installation.id, syncId: sync.id };
  return {
    ...head,
    roundId: roundId ?? run.id,
    place,
    owner,
    findFormerOwner: createFormerOwners(deps.tombstones, { owner, orgId: sync.orgId, folderId: folder.id, place }),
    fingerprint,
    session: await openSession(head, head.connection, policyTargetOf(head)),
    ledger: createLedger(deps.entries, { syncId: sync.id, runId: run.id }, entries),
    desired,
    planOptions: {
      owner,
      place,
      folderId: folder.id,
      onExisting: options.onExisting,
      keepsDeleted: options.disableSecretDeletion,
      overwritesDrift: overwritesDrift(head),
      ...(acceptsSource ? { acceptsSource: { except: new Set(uncertainKeys) } } : {}),
    },
  };
}

function isOfThisEpoch({ sync, installation }: SyncHead): boolean {
  return !mustCompare(sync, installation.epochStartedAt);
}

async function readRemembered(
  { deps, sync, folder, target, options }: SyncHead,
  place: AwsLocation,
): Promise<Remembered> {
  const [entries, secrets] = await Promise.all([deps.entries.list(sync.id), deps.source.index(folder)]);
  return { entries, desired: toDesired({ secrets, target, options, place }) };
}

/**
 * A person who asks for a sync means its result; everything else follows the sync's own setting.
 */
function overwritesDrift({ run, options }: SyncHead): boolean {
  return options.drift === 'repair' || run.requestKind === 'sync' || run.kind === 'remove';
}

/** Narrowed to what this target needs; an access key only if that is wanted and was tried. */
export async function openSession(
  head: SyncHead,
  connection: ConnectionRow,
  target: DestinationScope,
): Promise<AwsSession> {
  const { deps, run } = head;
  const partition = partitionOfRegion(target.region) ?? 'aws';
  const policy = sessionPolicyFor([target], { partition, accountId: connection.accountId ?? '*' });
  return deps.aws.session({
    credentials: await deps.connections.credentialsOf(connection),
    region: target.region,
    scope: run.scope,
    policy,
    ...(isNarrowed(connection, target) ? { narrowing: 'wanted' as const } : {}),
  });
}

export function policyTargetOf(head: Pick<SyncHead, 'sync' | 'options'>): DestinationScope {
  return targetOfSync({ ...head.sync, syncOptions: head.options });
}

/** Where entries lie, by what the validation of the connection has proved; no call is needed. */
function placeOf(connection: ConnectionRow, { region, kind }: Target): AwsLocation {
  return {
    partition: partitionOfRegion(region) ?? 'aws',
    accountId: connection.accountId ?? 'unknown',
    region,
    service: kind.service.name,
  };
}

/** For comparing what AWS returns with the ledger. */
export function lookOf(job: Pick<SyncJob, 'owner' | 'run'>): DriftContext {
  return { owner: job.owner, now: job.run.now() };
}

/** What of the ledger lies where the sync writes now. */
export function isHere({ place }: Pick<SyncJob, 'place'>, entry: LedgerEntry): boolean {
  return isSamePlace(entry, place);
}
