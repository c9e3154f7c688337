/**
 * What all sessions of a process share: settings, base identity, cached sessions, and one client
 * per session, region and service.
 */
import type { CallBudget } from '../domain/call-budget.ts';
import { CALL_DEADLINE_MS } from '../domain/lease.ts';
import type { JobError } from '../errors.ts';
import type { Session } from './assume-role.ts';
import { type BaseIdentity, createBaseIdentity } from './base-identity.ts';
import type { CallSettings } from './call.ts';
import {
  type ClientMaker,
  type ClientOptions,
  createClient,
  type Credentials,
  type CredentialsProvider,
  type RequestHandler,
} from './clients.ts';
import type { EndpointEnvironment } from './endpoints.ts';
import type { AwsService, SessionService } from './services.ts';
import { createRequestHandler } from './request-handler.ts';
import { createSessionCache } from './session-cache.ts';

export interface AwsAccessOptions {
  /**
   * The key pair that assumes roles, or a function that reads it again; undefined: the SDK's
   * default chain.
   */
  readonly baseCredentials: Credentials | CredentialsProvider | undefined;
  readonly baseRoleArn?: string | undefined;
  readonly ownAccountRoles?: readonly string[];
  /** The variables that point to a container's credentials; only named in reports. */
  readonly environment?: EndpointEnvironment;
  /** Where the worker runs: sessions are taken there. Undefined: us-east-1. */
  readonly region?: string | undefined;
  /** From `toServiceEndpoints`, after `checkEndpointOverrides`. */
  readonly endpoints?: Readonly<Partial<Record<AwsService, string>>>;
  /** From `findFips`. */
  readonly isFips?: boolean;
  readonly requestHandler?: RequestHandler;
  /** From `loadCaBundle`: certificates to trust instead of Node's own. */
  readonly caBundle?: string | undefined;
  readonly budget?: CallBudget | undefined;
  readonly deadlineMs?: number;
  readonly onCall?: CallSettings['onCall'];
  /** Called when the worker's own identity fails, and when it works again. */
  readonly onBaseChange?: (fault: JobError | undefined) => void;
  /** Called when KMS gives no data keys, and when it does again. */
  readonly onDataKeyChange?: (fault: JobError | undefined) => void;
  /** Called when AWS refuses the narrowed session of an access key, which is then used as it is. */
  readonly onNarrowingRefused?: (connectionId: string, refusal: JobError) => void;
  readonly nowMs?: () => number;
  readonly random?: () => number;
}

const MAX_SESSIONS = 10_000;
/** 30 KB each. */
const MAX_CLIENTS = 512;

export interface AwsContext {
  readonly options: AwsAccessOptions;
  readonly settings: CallSettings;
  readonly base: BaseIdentity;
  readonly maker: ClientMaker;
  readonly sessions: ReturnType<typeof createSessionCache<Session>>;
  /** A client for the session of this key, made once. */
  client<S extends SessionService>(key: string, service: S, options: ClientOptions): ReturnType<typeof createClient<S>>;
}

export function createAwsContext(options: AwsAccessOptions): AwsContext {
  const settings: CallSettings = {
    budget: options.budget,
    deadlineMs: options.deadlineMs ?? CALL_DEADLINE_MS,
    onCall: options.onCall ?? (() => undefined),
    onBaseCall: onChange(options.onBaseChange),
    nowMs: options.nowMs ?? (() => Date.now()),
    random: options.random ?? (() => Math.random()),
  };
  const requestHandler: RequestHandler = options.requestHandler ?? createRequestHandler(options.caBundle);
  const maker = { requestHandler, endpoints: options.endpoints ?? {}, isFips: options.isFips ?? false };
  const clients = new Map<string, object>();
  return {
    options,
    settings,
    maker,
    base: createBaseIdentity(
      {
        credentials: options.baseCredentials,
        roleArn: options.baseRoleArn,
        region: options.region,
        environment: options.environment ?? {},
      },
      maker,
      settings,
    ),
    sessions: createSessionCache<Session>({ maxEntries: MAX_SESSIONS, nowMs: settings.nowMs, random: settings.random }),
    client(key, service, clientOptions) {
      const name = `${key}|${service}|${clientOptions.region}`;
      const client =
        (clients.get(name) as ReturnType<typeof createClient<typeof service>> | undefined) ??
        createClient(maker, service, clientOptions);
      clients.delete(name);
      clients.set(name, client);
      if (clients.size > MAX_CLIENTS) clients.delete(clients.keys().next().value ?? '');
      return client;
    },
  };
}

/** Treated as working until it fails; each change is reported once, however many runs notice it. */
export function onChange(report: AwsAccessOptions['onBaseChange']) {
  let last: JobError['code'] | undefined;
  return (fault: JobError | undefined): void => {
    if (fault?.code === last) return;
    last = fault?.code;
    report?.(fault);
  };
}
