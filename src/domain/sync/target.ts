/** Where a sync writes: names at the destination for keys of the source, and the way back. Pure. */
import { findKey, type KeySchema, parseKeySchema, renderKey } from '../key-schema.ts';
import type {
  Destination,
  DestinationConfig,
  ParameterStoreConfig,
  SecretsManagerConfig,
  SyncOptions,
} from './config.ts';

export type Mapping = 'parameters' | 'secrets' | 'document';

export interface Target {
  /** One parameter per secret, one Secrets Manager secret per secret, or one JSON secret for all. */
  readonly mapping: Mapping;
  readonly service: 'ssm' | 'secretsmanager';
  readonly region: string;
  /** What every remote name begins with; for a document its whole name. */
  readonly namePrefix: string;
  readonly schema: KeySchema;
}

export interface TargetSource {
  readonly destination: Destination;
  readonly destinationConfig: DestinationConfig;
  readonly syncOptions: Pick<SyncOptions, 'keySchema'>;
}

export function toTarget(sync: TargetSource, environment: string): Target {
  const schema = parseKeySchema(sync.syncOptions.keySchema, environment);
  const { region } = sync.destinationConfig;
  if (sync.destination === 'aws-parameter-store') {
    const { path } = sync.destinationConfig as ParameterStoreConfig;
    return { mapping: 'parameters', service: 'ssm', region, namePrefix: path, schema };
  }
  const config = sync.destinationConfig as SecretsManagerConfig;
  return config.mappingBehavior === 'one-to-one'
    ? { mapping: 'secrets', service: 'secretsmanager', region, namePrefix: config.prefix ?? '', schema }
    : { mapping: 'document', service: 'secretsmanager', region, namePrefix: config.secretName, schema };
}

/** What two targets of one account, region and service must not share: they would write the same names. */
export function nameTemplateOf({ mapping, namePrefix, schema }: Target): string {
  return mapping === 'document' ? namePrefix : `${namePrefix}${schema.prefix}{{secretKey}}${schema.suffix}`;
}

/** The remote object that holds this key's value. */
export function remoteNameOf(target: Target, key: string): string {
  return target.mapping === 'document' ? target.namePrefix : target.namePrefix + renderKey(target.schema, key);
}

/** The key inside a JSON secret. */
export function documentKeyOf(target: Target, key: string): string {
  return renderKey(target.schema, key);
}

/** The source key that an existing remote name (or key of a JSON secret) stands for, or undefined when it is not of this target. */
export function sourceKeyOf(target: Target, name: string): string | undefined {
  if (target.mapping === 'document') return findKey(target.schema, name);
  return name.startsWith(target.namePrefix) ? findKey(target.schema, name.slice(target.namePrefix.length)) : undefined;
}
