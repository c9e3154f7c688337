/**
 * What a sync can write to, by name. A new kind starts here: the compiler then names every record
 * that lacks it. Imports nothing.
 */
export const kindIds = ['parameter-store', 'secrets-manager', 'json-secret'] as const;
export type KindId = (typeof kindIds)[number];

/**
 * As rows, API and library name a destination. Two kinds may share one: `mappingBehavior` in its
 * config then says which is meant. The order is that of messages and of the OpenAPI document.
 */
export const destinationNames = ['aws-secrets-manager', 'aws-parameter-store'] as const;
export type DestinationName = (typeof destinationNames)[number];

/** As AWS names the services that the kinds write to; part of an object's place. */
export type DestinationService = 'ssm' | 'secretsmanager';

/** `aws-parameter-store`: one parameter for each secret. */
export interface ParameterStoreDestination {
  /** Such as `eu-central-1`. */
  readonly region: string;
  /** Starts and ends with `/`, such as `/app/prod/`. */
  readonly path: string;
}

/** `aws-secrets-manager`: one secret for each. */
export interface SecretsManagerDestination {
  /** Such as `eu-central-1`. */
  readonly region: string;
  /** Each secret on its own. */
  readonly mappingBehavior: 'one-to-one';
  /** Before each name; at most 400 characters. */
  readonly prefix?: string | undefined;
}

/** `aws-secrets-manager`: all in one, as a JSON object. */
export interface JsonSecretDestination {
  /** Such as `eu-central-1`. */
  readonly region: string;
  /** All secrets in one. */
  readonly mappingBehavior: 'many-to-one';
  /** Of the one secret; 1 to 512 characters. */
  readonly secretName: string;
}

/** Where a sync writes. */
export type SyncDestination = ParameterStoreDestination | SecretsManagerDestination | JsonSecretDestination;
