/**
 * Resolves the worker's own credentials, in a step of its own: whatever fails here is the installation's fault and never a connection's.
 * The source is read again once a minute, before credentials expire, and after AWS refused them, so that a renewed or repaired source is
 * used without a restart. A failure is kept for a few seconds, so that an outage does not cost every run a call.
 */
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';

import type { BaseKind } from '../domain/connection/base-identity.ts';
import type { JobError } from '../errors.ts';
import { toBaseFault } from './base-fault.ts';
import type { CallSettings } from './call.ts';
import type { ClientMaker, Credentials, CredentialsProvider } from './clients.ts';

export interface BaseCredentials {
  /** Throws CONNECTION_NO_BASE_IDENTITY or CONNECTION_BASE_REFUSED. */
  get(): Promise<Credentials>;
  /** AWS refused, for this reason, what was read before this moment: the source is read again. */
  refused(sinceMs: number, reason: JobError): void;
  /** Where the credentials in use come from; undefined before they were read. */
  kind(): BaseKind | undefined;
}

/** As the SDK describes the source of what it resolved, the most telling first. */
const kindsOfChain: readonly (readonly [RegExp, BaseKind])[] = [
  [/WEB_ID/, 'web-identity'],
  [/SSO/, 'sso'],
  [/HTTP/, 'container'],
  [/IMDS/, 'instance'],
  [/PROCESS/, 'process'],
  [/STS_ASSUME_ROLE/, 'profile-role'],
  [/PROFILE/, 'profile'],
  [/ENV_VARS/, 'environment'],
];

interface Resolved extends Credentials {
  readonly expiration?: Date | undefined;
  readonly $source?: object;
}

interface Known {
  readonly resolved: Resolved;
  readonly readAtMs: number;
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
      known = { resolved, readAtMs };
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
    kind: () => known && kindOf(options, known.resolved),
  };
}

/** Notes in the trail what each source said that did not give any. */
type Reader = (trail: string[]) => Promise<Resolved>;

/** A chain of its own for each reading: the SDK's would keep what has no expiration, and the text of files, for ever. */
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

function kindOf({ credentials }: BaseCredentialsOptions, { $source = {} }: Resolved): BaseKind {
  if (credentials) return 'key-pair';
  const features = Object.keys($source);
  return kindsOfChain.find(([pattern]) => features.some((name) => pattern.test(name)))?.[1] ?? 'unknown';
}
