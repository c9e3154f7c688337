/**
 * keyferry with everything embedded: PostgreSQL, the queue in it, and on demand the AWS sandbox,
 * with worker and server in this process. For `demo` and `up`. With the sandbox nothing real is in
 * reach: inherited settings are dropped before anything is made.
 */
import { randomBytes } from 'node:crypto';

import { defined } from '../domain/defined.ts';
import type { AwsSandbox } from '../sandbox/aws/index.ts';
import { loadConfig } from '../config/config.ts';
import { type Environment, processEnvironment } from '../config/environment.ts';
import { generateEncryptionKey } from '../config/encryption-key.ts';
import { WORKER_SESSIONS } from '../db/installation-guard.ts';
import { migrate } from '../db/migrate.ts';
import type { Program } from '../main.ts';
import type { ListeningServer } from '../server/server.ts';
import type { WorkerProcess } from '../workers/engine/worker.ts';
import { openLog } from './terminal-log.ts';

export const SANDBOX_BASE_ACCOUNT = '111122223333';

export interface EmbeddedOptions {
  readonly directory: string;
  readonly isPersistent: boolean;
  readonly withSandbox: boolean;
  readonly withServer: boolean;
  readonly logLevel: string;
  /** Settings that go before everything else; other processes that join have them, too. */
  readonly settings: Environment;
  /** Of this process; with the sandbox the only ones that stay. */
  readonly ownSettings?: Environment;
}

export interface Embedded {
  readonly program: Program;
  readonly worker: WorkerProcess;
  readonly server: ListeningServer | undefined;
  readonly sandbox: AwsSandbox | undefined;
  /** What another process needs to join. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Ends what was started, newest first, whatever happens in between. */
interface Cleanup {
  add(end: () => Promise<void>): void;
  run(): Promise<void>;
}

function createCleanup(): Cleanup {
  const ends: (() => Promise<void>)[] = [];
  let ended: Promise<void> | undefined;
  const endAll = async () => {
    for (const end of ends.reverse()) await end().catch(() => undefined);
  };
  return {
    add: (end) => ends.push(end),
    run: () => (ended ??= endAll()),
  };
}

export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const cleanup = createCleanup();
  try {
    return await start(options, cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function start(options: EmbeddedOptions, cleanup: Cleanup): Promise<Embedded> {
  const aws = options.withSandbox ? await startSandbox(cleanup) : undefined;
  const { startEmbeddedPostgres } = await import('../sandbox/postgres.ts');
  const postgres = await startEmbeddedPostgres({ directory: options.directory, persistent: options.isPersistent });
  cleanup.add(() => postgres.stop());
  const environment = {
    DATABASE_URL: postgres.url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    ...aws?.environment,
    ...defined(options.settings),
  };
  const { compose } = await import('../main.ts');
  // With the sandbox the process's environment is clean by now; without it, AWS settings are the
  // user's own.
  const config = loadConfig({
    ...processEnvironment(),
    ...options.ownSettings,
    REDIS_URL: undefined,
    ...environment,
  });
  if (options.withServer) {
    const { requireFree } = await import('../server/listen.ts');
    await requireFree({ host: config.httpHost, port: config.httpPort, portSetting: '--port' });
  }
  await migrate(config.databaseUrl);
  const program = compose({ ...config, sessionName: WORKER_SESSIONS }, await openLog(options.logLevel));
  cleanup.add(() => program.close());
  await program.startTelemetry();
  await (await program.backend()).prepare();
  await program.checkReady();
  const worker = await program.startWorker();
  cleanup.add(() => worker.stop(10_000));
  const server = options.withServer ? await program.startServer(worker) : undefined;
  if (server) cleanup.add(() => server.close());
  return { program, worker, server, sandbox: aws?.sandbox, environment, stop: () => cleanup.run() };
}

async function startSandbox(cleanup: Cleanup): Promise<{ sandbox: AwsSandbox; environment: Record<string, string> }> {
  const { enterSandboxEnvironment, findUnsafeVariables } = await import('../sandbox/environment.ts');
  enterSandboxEnvironment();
  const unsafe = findUnsafeVariables(processEnvironment());
  if (unsafe.length > 0) throw new Error(`the sandbox’s environment still holds ${unsafe.join(', ')}`);
  const { createAwsSandbox, startAwsSandboxServer } = await import('../sandbox/aws/index.ts');
  const sandbox = createAwsSandbox({ seed: randomBytes(4).readUInt32LE() });
  const server = await startAwsSandboxServer(sandbox);
  cleanup.add(() => server.close());
  const base = createBaseUser(sandbox);
  return {
    sandbox,
    environment: {
      AWS_ENDPOINT_URL: server.url,
      AWS_REGION: 'eu-west-1',
      INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: base.accessKeyId,
      INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: base.secretAccessKey,
    },
  };
}

/**
 * The identity that assumes customers' roles, as docs/aws-connection.md has an operator make it.
 */
function createBaseUser(sandbox: AwsSandbox): { accessKeyId: string; secretAccessKey: string } {
  sandbox.createAccount(SANDBOX_BASE_ACCOUNT);
  const user = { accountId: SANDBOX_BASE_ACCOUNT, userName: 'keyferry-base' };
  sandbox.createUser({
    ...user,
    policy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: 'arn:aws:iam::*:role/*' }],
    },
  });
  return sandbox.createAccessKey(user);
}
