/**
 * Edits by somebody else: what a person does in the console while keyferry does not run. They go
 * through the same rules as calls (names, sizes, states), as the account's root user, and leave no
 * call record.
 */
import { AwsError } from './aws-error.ts';
import { runChecked } from './dispatch.ts';
import { toRootPrincipal } from './principal.ts';
import type { RegionAddress } from './inspect.ts';
import { findPartition } from './regions.ts';
import type { Call } from './service.ts';
import { getLiveSecret } from './secrets-manager/find-secret.ts';
import { failReplica } from './secrets-manager/replicas.ts';
import type { SecretManagement } from './secrets-manager/secret-record.ts';
import { canonicalName } from './ssm/names.ts';
import { getAccount, regionState } from './state.ts';
import { SERVICE_MODELS } from './wire/service-model.ts';

export interface ForeignParameter extends RegionAddress {
  readonly name: string;
  readonly value: string;
  /** Default: the existing type, or SecureString. */
  readonly type?: 'String' | 'StringList' | 'SecureString';
  readonly tier?: 'Standard' | 'Advanced';
  readonly keyId?: string;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface ForeignSecret extends RegionAddress {
  readonly name: string;
  readonly value: string;
  readonly kmsKeyId?: string;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface ForeignEdits {
  /** Creates or overwrites. */
  putParameter(input: ForeignParameter): { version: number };
  deleteParameter(input: RegionAddress & { name: string }): void;
  tagParameter(input: RegionAddress & { name: string; tags: Readonly<Record<string, string>> }): void;
  untagParameter(input: RegionAddress & { name: string; tagKeys: readonly string[] }): void;
  labelParameter(input: RegionAddress & { name: string; labels: readonly string[]; version?: number }): void;
  /** Creates, or puts a new current value. */
  putSecret(input: ForeignSecret): { arn: string; versionId: string };
  /** Scheduled (with or without days) or, forced, at once. */
  deleteSecret(input: RegionAddress & { name: string; force?: boolean; recoveryWindowDays?: number }): void;
  restoreSecret(input: RegionAddress & { name: string }): void;
  tagSecret(input: RegionAddress & { name: string; tags: Readonly<Record<string, string>> }): void;
  untagSecret(input: RegionAddress & { name: string; tagKeys: readonly string[] }): void;
  removeReplica(input: RegionAddress & { name: string; replicaRegion: string }): void;
  addReplica(input: RegionAddress & { name: string; replicaRegion: string; kmsKeyId?: string }): void;
  /**
   * Replication to this region stops with an error; a copy that was complete stays, with the values
   * it has.
   */
  failReplica(input: RegionAddress & { name: string; replicaRegion: string; message?: string }): void;
  /** From now on a service, a partner or a rotation changes the secret's value. */
  manageSecret(input: RegionAddress & { name: string; by: SecretManagement }): void;
}

export type ForeignContext = Pick<Call, 'world' | 'timing' | 'behaviour' | 'random' | 'now'>;

export function createForeignEdits(context: () => ForeignContext): ForeignEdits {
  const run: Run = (address, operation, input) => runAsRoot(context(), { ...address, operation }, input);
  return {
    ...parameterEdits(run, context),
    ...secretEdits(run),
    failReplica: (input) => failReplicaOf(context(), input),
    manageSecret: (input) => {
      getLiveSecret(rootCall(context(), input), { SecretId: input.name }).management = input.by;
    },
  };
}

/** `operation` as `ssm.PutParameter`. */
type Run = (address: RegionAddress, operation: string, input: object) => object;
type ParameterEdits = 'putParameter' | 'deleteParameter' | 'tagParameter' | 'untagParameter' | 'labelParameter';

function parameterEdits(run: Run, context: () => ForeignContext): Pick<ForeignEdits, ParameterEdits> {
  const resource = (name: string): object => ({ ResourceType: 'Parameter', ResourceId: name });
  return {
    putParameter: (input) => {
      const { parameters } = regionState(getAccount(context().world, input.accountId), input.region);
      const existing = parameters.has(canonicalName(input.name));
      const type = existing ? input.type : (input.type ?? 'SecureString');
      const common = {
        Name: input.name,
        Value: input.value,
        Type: type,
        Tier: input.tier,
        KeyId: input.keyId,
        Description: input.description,
      };
      const tags = existing ? {} : { Tags: input.tags && toTags(input.tags) };
      const result = run(input, 'ssm.PutParameter', { ...common, ...tags, Overwrite: existing }) as {
        Version: number;
      };
      if (existing && input.tags)
        run(input, 'ssm.AddTagsToResource', { ...resource(input.name), Tags: toTags(input.tags) });
      return { version: result.Version };
    },
    deleteParameter: (input) => {
      run(input, 'ssm.DeleteParameter', { Name: input.name });
    },
    tagParameter: (input) => {
      run(input, 'ssm.AddTagsToResource', { ...resource(input.name), Tags: toTags(input.tags) });
    },
    untagParameter: (input) => {
      run(input, 'ssm.RemoveTagsFromResource', { ...resource(input.name), TagKeys: input.tagKeys });
    },
    labelParameter: (input) => {
      run(input, 'ssm.LabelParameterVersion', {
        Name: input.name,
        Labels: input.labels,
        ParameterVersion: input.version,
      });
    },
  };
}

function secretEdits(run: Run): Omit<ForeignEdits, ParameterEdits | 'failReplica' | 'manageSecret'> {
  const createOrPut = (input: RegionAddress, created: object, put: object): { ARN: string; VersionId: string } => {
    try {
      return run(input, 'secretsmanager.CreateSecret', created) as { ARN: string; VersionId: string };
    } catch (error) {
      if (!(error instanceof AwsError) || error.code !== 'ResourceExistsException') throw error;
      return run(input, 'secretsmanager.PutSecretValue', put) as { ARN: string; VersionId: string };
    }
  };
  return {
    putSecret: (input) => {
      const value = { SecretString: input.value };
      const created = {
        Name: input.name,
        ...value,
        KmsKeyId: input.kmsKeyId,
        Description: input.description,
        Tags: toTags(input.tags ?? {}),
      };
      const result = createOrPut(input, created, { SecretId: input.name, ...value });
      return { arn: result.ARN, versionId: result.VersionId };
    },
    deleteSecret: (input) => {
      const how =
        input.force === true
          ? { ForceDeleteWithoutRecovery: true }
          : { RecoveryWindowInDays: input.recoveryWindowDays };
      run(input, 'secretsmanager.DeleteSecret', { SecretId: input.name, ...how });
    },
    restoreSecret: (input) => {
      run(input, 'secretsmanager.RestoreSecret', { SecretId: input.name });
    },
    tagSecret: (input) => {
      run(input, 'secretsmanager.TagResource', { SecretId: input.name, Tags: toTags(input.tags) });
    },
    untagSecret: (input) => {
      run(input, 'secretsmanager.UntagResource', { SecretId: input.name, TagKeys: input.tagKeys });
    },
    addReplica: (input) => {
      const regions = { AddReplicaRegions: [{ Region: input.replicaRegion, KmsKeyId: input.kmsKeyId }] };
      run(input, 'secretsmanager.ReplicateSecretToRegions', { SecretId: input.name, ...regions });
    },
    removeReplica: (input) => {
      const regions = { RemoveReplicaRegions: [input.replicaRegion] };
      run(input, 'secretsmanager.RemoveRegionsFromReplication', { SecretId: input.name, ...regions });
    },
  };
}

function toTags(tags: Readonly<Record<string, string>>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

function failReplicaOf(context: ForeignContext, input: Parameters<ForeignEdits['failReplica']>[0]): void {
  const call = rootCall(context, input);
  const message = input.message ?? `Replication failed: the KMS key in ${input.replicaRegion} cannot be used.`;
  failReplica(call, getLiveSecret(call, { SecretId: input.name }), { region: input.replicaRegion, message });
}

function runAsRoot(context: ForeignContext, where: RegionAddress & { operation: string }, input: object): object {
  const [service = '', name = ''] = where.operation.split('.');
  const model = SERVICE_MODELS.get(service)?.operations.get(name);
  if (!model) throw new Error(`The sandbox has no ${where.operation}.`);
  return runChecked(rootCall(context, where), model, input);
}

function rootCall(context: ForeignContext, where: RegionAddress): Call {
  const account = getAccount(context.world, where.accountId);
  const partition = findPartition(where.region);
  if (!partition) throw new Error(`The sandbox has no region ${where.region}.`);
  const regionOf = { region: where.region, regionState: regionState(account, where.region) };
  return { ...context, principal: toRootPrincipal(account), account, partition, ...regionOf };
}
