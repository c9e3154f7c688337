/**
 * Resolves the worker's own credentials, in a step of its own: whatever fails here is the
 * installation's fault and never a connection's. The source is read again once a minute, before
 * credentials expire, and after AWS refused them, so that a renewed or repaired source is used
 * without a restart. A failure is kept for a few seconds, so that an outage does not cost every run
 * a call.
 */
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';

import type { BaseKind } from '../domain/connection/base-identity.ts';
import type { JobError } from '../errors.ts';
import { toBaseFault } from './base-fault.ts';
import type { CallSettings } from './call.ts';
import type { ClientMaker, Credentials, CredentialsProvider } from './clients.ts';
import type { EndpointEnvironment } from './endpoints.ts';

export interface BaseCredentials {
  /** Throws CONNECTION_NO_BASE_IDENTITY or CONNECTION_BASE_REFUSED. */
  get(): Promise<Credentials>;
  /** AWS refused, for this reason, what was read before this moment: the source is read again. */
  refused(sinceMs: number, reason: JobError): void;
  /** What is known of the credentials in use, without a call; undefined before they were read. */
  inUse(): BaseCredentialsInUse | undefined;
}

export interface BaseCredentialsInUse {
  readonly kind: BaseKind;
  readonly accessKeyId: string;
  readonly isTemporary: boolean;
  readonly expiresAt: Date | undefined;
  /** When the files that hold the pair were last written. */
  readonly fileChangedAt: Date | undefined;
}

/** How the SDK describes the source of the credentials, most specific first. */
const kindsOfChain: readonly (readonly [RegExp, BaseKind])[] = [
  [/WEB_ID/, 'web-identity'],
  [/SSO/, 'sso'],
  [/HTTP/, 'container'],
  [/PROCESS/, 'process'],
  [/STS_ASSUME_ROLE/, 'profile-role'],
  [/PROFILE/, 'profile'],
  [/ENV_VARS/, 'environment'],
];

interface Resolved extends Credentials {
  readonly expiration?: Date | undefined;
  readonly fileChangedAt?: Date | undefined;
  readonly $source?: object;
}

interface Known {
  readonly resolved: Resolved;
  readonly readAtMs: number;
  /** The sources that were asked, the one that answered last. */
  readonly trail: readonly string[];
}

const READ_AGAIN_MS = 60_000;
/** Renewed in the background this long before they expire, and never used in their last minute. */
const RENEW_BEFORE_MS = 5 * 60_000;
const EXPIRY_MARGIN_MS = 60_000;
const FAILURE_KEPT_MS = 5_000;

export interface BaseCredentialsOptions {
  /** A pair, or a function that reads it again; undefined: the SDK's default chain. */
  readonly credentials: Credentials | CredentialsProvider | undefined;
  readonly region: string;
  /** The variables that point the SDK to a container's credentials. */
  readonly environment: EndpointEnvironment;
}

export function createBaseCredentials(
  options: BaseCredentialsOptions,
  maker: ClientMaker,
  settings: Pick<CallSettings, 'nowMs' | 'onBaseCall'>,
): BaseCredentials {
  const read = readerOf(options, maker);
  let known: Known | undefined;
  let reading: Promise<Credentials> | undefined;
  let failure: { readonly error: JobError; readonly atMs: number; readonly refused?: Resolved } | undefined;

  async function load(): Promise<Credentials> {
    const readAtMs = settings.nowMs();
    const trail: string[] = [];
    try {
      const resolved = await read(trail);
      // Still the pair that AWS has just refused: another call would end the same way.
      if (failure?.refused && isRecent(failure, readAtMs) && isSame(failure.refused, resolved)) throw failure.error;
      known = { resolved, readAtMs, trail };
      failure = undefined;
      return resolved;
    } catch (raw) {
      const error = toBaseFault(raw, trail);
      failure = failure?.error === error ? failure : { error, atMs: settings.nowMs() };
      throw error;
    } finally {
      reading = undefined;
    }
  }

  async function resolve(): Promise<Credentials> {
    const nowMs = settings.nowMs();
    const isFailing = failure !== undefined && isRecent(failure, nowMs);
    if (known && isUsable(known, nowMs)) {
      if (isStale(known, nowMs) && !isFailing) (reading ??= load()).catch(() => undefined);
      return known.resolved;
    }
    if (failure && !failure.refused && isFailing) throw failure.error;
    return (reading ??= load());
  }

  return {
    async get() {
      try {
        return await resolve();
      } catch (raw) {
        const error = toBaseFault(raw);
        settings.onBaseCall?.(error);
        throw error;
      }
    },
    refused(sinceMs, error) {
      if (!known || known.readAtMs > sinceMs) return;
      failure = { error, atMs: settings.nowMs(), refused: known.resolved };
      known = undefined;
    },
    inUse: () => known && describe(options, known),
  };
}

/** Records in the trail what each source without credentials answered. */
type Reader = (trail: string[]) => Promise<Resolved>;

/**
 * Each read builds a new chain: the SDK's own caches credentials without expiry, and the text of
 * files, for ever.
 */
function readerOf({ credentials, region }: BaseCredentialsOptions, maker: ClientMaker): Reader {
  if (typeof credentials === 'function') return credentials;
  if (credentials) return () => Promise.resolve(credentials);
  const clientConfig = { region, requestHandler: maker.requestHandler as never };
  return (trail) => {
    const note = (text: unknown) => trail.push(String(text));
    const logger = { debug: note, info: note, warn: note, error: note };
    return fromNodeProviderChain({ clientConfig, ignoreCache: true, logger })();
  };
}

function isRecent({ atMs }: { readonly atMs: number }, nowMs: number): boolean {
  return nowMs - atMs < FAILURE_KEPT_MS;
}

function isSame(one: Resolved, other: Resolved): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  );
}

function isUsable({ resolved }: Known, nowMs: number): boolean {
  return resolved.expiration === undefined || resolved.expiration.getTime() - EXPIRY_MARGIN_MS > nowMs;
}

function isStale({ resolved, readAtMs }: Known, nowMs: number): boolean {
  if (resolved.expiration === undefined) return nowMs - readAtMs > READ_AGAIN_MS;
  return resolved.expiration.getTime() - RENEW_BEFORE_MS < nowMs && nowMs - readAtMs > FAILURE_KEPT_MS;
}

function describe(options: BaseCredentialsOptions, known: Known): BaseCredentialsInUse {
  const { resolved } = known;
  return {
    kind: kindOf(options, known),
    accessKeyId: resolved.accessKeyId,
    isTemporary: resolved.sessionToken !== undefined,
    expiresAt: resolved.expiration,
    fileChangedAt: resolved.fileChangedAt,
  };
}

function kindOf({ credentials, environment }: BaseCredentialsOptions, { resolved, trail }: Known): BaseKind {
  if (credentials) return resolved.fileChangedAt === undefined ? 'key-pair' : 'key-pair-file';
  const features = Object.keys(resolved.$source ?? {});
  const kind = kindsOfChain.find(([pattern]) => features.some((name) => pattern.test(name)))?.[1];
  if (kind === 'container') return containerKindOf(environment);
  // The SDK marks what every source gave, except instances.
  return kind ?? (trail.some((text) => text.includes('fromInstanceMetadata')) ? 'instance' : 'unknown');
}

/** The address of the EKS agent, and the token that EKS mounts for it. */
const POD_IDENTITY_HOST = /^https?:\/\/(169\.254\.170\.23|\[fd00:ec2::23\])[:/]/i;
const POD_IDENTITY_TOKEN = /\/eks-pod-identity-token$/;

function containerKindOf(environment: EndpointEnvironment): BaseKind {
  if (environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) return 'ecs-task';
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url = '', AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token = '' } =
    environment;
  return POD_IDENTITY_HOST.test(url) || POD_IDENTITY_TOKEN.test(token) ? 'pod-identity' : 'container';
}
