/**
 * The composition root: makes stores, ports, workers and servers out of a configuration and hands
 * them to each other. It decides nothing and does nothing until asked; only the command line comes
 * here. The library's `connect` opens `stores.ts`.
 */
import type { AwsAccess } from './aws/session.ts';
import { createClient, type Actor } from './client/client.ts';
import { openStores, type OpenStores } from './stores.ts';
import type { Config } from './config/config.ts';
import { toServed } from './api.ts';
import { tryCredentials } from './trials.ts';
import { toWebhook } from './webhook.ts';
import { requireCurrentSchema } from './db/migrate.ts';
import { createStatusQueries } from './db/status/queries.ts';
import { kinds } from './domain/run.ts';
import { isLoopback } from './domain/servers/loopback.ts';
import { originOf } from './domain/servers/url-hosts.ts';
import { JobError } from './errors.ts';
import type { Log } from './observe/log.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import type { QueueBackend } from './queues/backend.ts';
import type { QueueTelemetry } from './queues/telemetry.ts';
import type { ListeningServer } from './server/server.ts';
import { VERSION } from './version.ts';
import type { WorkerOptions } from './worker-process.ts';
import type { WorkerProcess } from './workers/engine/worker.ts';
import type { Client } from './client/types/client.ts';

export interface Program {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly stores: OpenStores;
  readonly engine: QueueBackend['engine'];
  /** Made when first asked for. */
  backend(): Promise<QueueBackend>;
  client(actor?: Partial<Actor>): Client;
  /**
   * Made when first asked for, after the endpoint rules were checked. Throws
   * CONFIG_ENDPOINT_REFUSED.
   */
  aws(): Promise<AwsAccess>;
  /** Active endpoint overrides, as shown in `status` and the start log. */
  endpointOverrides(): Promise<readonly { readonly source: string; readonly url: string }[]>;
  /**
   * Collects traces and metrics from here on, where OTEL_EXPORTER_OTLP_ENDPOINT asks for it; queues
   * and workers must be made later.
   */
  startTelemetry(): Promise<void>;
  /**
   * Throws unless database, schema, encryption keys and queue are fit for work. Returns warnings.
   */
  checkReady(): Promise<readonly string[]>;
  startWorker(options?: WorkerOptions): Promise<WorkerProcess>;
  startServer(worker?: WorkerProcess): Promise<ListeningServer>;
  /** Health and metrics of a worker process, where KEYFERRY_WORKER_HTTP_PORT asks for them. */
  startProbe(worker: WorkerProcess): Promise<ListeningServer | undefined>;
  close(): Promise<void>;
}

export function compose(config: Config & { readonly sessionName?: string }, log: Log): Program {
  const stores = openStores(config, async () => (await openOnce()).dataKeys);
  const metrics = createMetrics({ version: VERSION });
  const tracing: Tracing = { refreshMetrics: nothing, close: nothing };
  // A start that fails half-way must not leave behind what was started before: `close` ends it,
  // newest first.
  const running: (() => Promise<void>)[] = [];
  const started = async <T>(starting: Promise<T>, end: (one: T) => Promise<void>): Promise<T> => {
    const one = await starting;
    running.push(() => end(one));
    return one;
  };
  let aws: Promise<AwsAccess> | undefined;
  const openOnce = () => (aws ??= openAws(parts));
  let queues: Promise<QueueBackend> | undefined;
  const openQueues = () => (queues ??= openBackend(parts));
  const parts: Parts = { config, log, stores, metrics, tracing, aws: openOnce, backend: openQueues };
  const ports = { tryCredentials: tryCredentials(parts), audit: { log: stores.audit, via: 'cli' } } as const;
  return {
    ...parts,
    engine: config.redisUrl === undefined ? 'postgres' : 'redis',
    client: (actor = {}) => createClient(stores, { orgId: config.org, via: 'operator', ...actor }, ports),
    endpointOverrides: () => listEndpointOverrides(config),
    startTelemetry: () => startTelemetry(parts),
    checkReady: () => checkReady(parts),
    startWorker: (options = {}) => started(openWorker(parts, options), (worker) => worker.stop()),
    startServer: (worker) => started(startServer(parts, worker), (server) => server.close()),
    startProbe: (worker) => started(startProbe(parts, worker), async (probe) => probe?.close()),
    async close() {
      for (const end of running.reverse()) await end().catch(nothing);
      await (await queues?.catch(nothing))?.close();
      await tracing.close();
      await stores.close();
    },
  };
}

interface Parts {
  readonly config: Config;
  readonly log: Log;
  readonly stores: OpenStores;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  aws(): Promise<AwsAccess>;
  backend(): Promise<QueueBackend>;
}

/** Filled in when telemetry and the server start, in either order. */
interface Tracing {
  queues?: QueueTelemetry;
  refreshMetrics(): Promise<void>;
  close(): Promise<void>;
}

const nothing = () => Promise.resolve();

async function startTelemetry({ config, log, metrics, tracing }: Parts): Promise<void> {
  if (config.otlpEndpoint === undefined) return;
  const [sdk, queues] = await Promise.all([import('./observe/telemetry.ts'), import('./queues/telemetry.ts')]);
  const { close } = sdk.startTelemetry({
    endpoint: config.otlpEndpoint,
    version: VERSION,
    registry: metrics.registry,
    refreshMetrics: () => tracing.refreshMetrics(),
    log,
  });
  Object.assign(tracing, { close, queues: queues.createQueueTelemetry() } satisfies Partial<Tracing>);
}

async function openBackend({ config, tracing }: Parts): Promise<QueueBackend> {
  const { createQueueBackend } = await import('./queues/backend.ts');
  return createQueueBackend(config, () => tracing.queues);
}

async function listEndpointOverrides({ environment }: Config) {
  const { findEndpointOverrides, loadProfileFiles } = await import('./aws/endpoints.ts');
  const overrides = findEndpointOverrides(environment, await loadProfileFiles(environment));
  return overrides.map(({ source, url }) => ({ source, url: originOf(url) }));
}

async function openAws({ config, stores, metrics, log }: Parts): Promise<AwsAccess> {
  const [{ createAwsAccess }, { createCallBudget }, { loadAwsSettings }, { createBudgetLedger }] = await Promise.all([
    import('./aws/access.ts'),
    import('./aws/call-budget.ts'),
    import('./aws-settings.ts'),
    import('./db/call-budget.ts'),
  ]);
  return createAwsAccess({
    ...(await loadAwsSettings(config)),
    ownAccountRoles: config.ownAccountRoles,
    budget: createCallBudget(createBudgetLedger(stores.database.db)),
    onCall: metrics.awsCall,
    onNarrowingRefused: (connectionId, err) => {
      log.warn({ err, connectionId }, 'AWS refused a narrowed session; the access key is used as it is');
    },
    onDataKeyChange(fault) {
      if (fault) log.error({ err: fault }, 'KMS gives no data keys; whatever needs a stored value waits');
      else log.info('KMS gives data keys again');
    },
    onBaseChange(fault) {
      if (fault) log.error({ err: fault }, 'the worker’s own AWS identity cannot be used; all work at AWS waits');
      else log.info('the worker’s own AWS identity can be used again');
    },
  });
}

async function checkReady({ config, stores, backend }: Parts): Promise<readonly string[]> {
  await requireCurrentSchema(config.databaseUrl);
  const fault = await stores.encryptionKeys.requireAll();
  return [...(fault ? [withoutKms(fault)] : []), ...(await (await backend()).check())];
}

function withoutKms({ code, operatorMessage }: JobError): string {
  return `${code}: ${operatorMessage} Until then, whatever needs a stored value waits: syncs, rotations, connections with access keys, webhooks of orgs. Validations of roles, reads, the pages and the API without values go on, and everything resumes by itself.`;
}

async function openWorker(parts: Parts, options: WorkerOptions): Promise<WorkerProcess> {
  const { startWorkerProcess } = await import('./worker-process.ts');
  return startWorkerProcess({ ...parts, aws: await parts.aws(), backend: await parts.backend() }, options);
}

async function startServer(parts: Parts, worker: WorkerProcess | undefined): Promise<ListeningServer> {
  const { config, stores, log, metrics } = parts;
  const backend = await parts.backend();
  stores.database.watch();
  if (!isLoopback(config.httpHost) && !config.logins.login && config.logins.operators.length === 0) {
    throw new JobError('CONFIG_INVALID', {
      message: `KEYFERRY_HTTP_HOST ${config.httpHost} is not loopback: set KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD.`,
    });
  }
  const { createServer } = await import('./server/server.ts');
  const server = createServer({
    host: config.httpHost,
    port: config.httpPort,
    allowedHosts: config.httpAllowedHosts,
    ...config.logins,
    metricsToken: config.metricsToken,
    log,
    metrics,
    health: healthOf(parts, worker),
    queues: kinds.map((kind) => backend.queue(kind)),
    isBoardWritable: config.isBoardWritable,
    status: createStatusQueries(stores.database.db),
    audit: stores.audit,
    ...toServed(config, stores, { tryCredentials: tryCredentials(parts) }),
    ownIdentity: async () => (await parts.aws()).baseReport(),
    webhook: toWebhook(config, stores),
  });
  parts.tracing.refreshMetrics = server.refreshMetrics;
  return server.listen();
}

async function startProbe(parts: Parts, worker: WorkerProcess): Promise<ListeningServer | undefined> {
  const { config, log, metrics } = parts;
  if (config.workerHttpPort === undefined) return undefined;
  const { createServer } = await import('./server/server.ts');
  const { httpHost: host, workerHttpPort: port, httpAllowedHosts: allowedHosts, metricsToken } = config;
  const health = healthOf(parts, worker);
  const address = { host, port, portSetting: 'KEYFERRY_WORKER_HTTP_PORT' };
  return createServer({ ...address, allowedHosts, login: undefined, metricsToken, log, metrics, health }).listen();
}

function healthOf({ config, stores, backend }: Parts, worker: WorkerProcess | undefined) {
  return {
    database: () => stores.database.requireWritable(),
    queue: async () => (await backend()).check(),
    migrations: () => requireCurrentSchema(config.databaseUrl),
    ...(worker ? { worker: () => requireReady(worker) } : {}),
  };
}

function requireReady(worker: WorkerProcess): Promise<void> {
  return worker.isReady()
    ? Promise.resolve()
    : Promise.reject(
        new JobError('QUEUE_UNAVAILABLE', { message: 'The worker is stopping, or its tick has stopped.' }),
      );
}
