/** `keyferry migrate|worker|server|status|doctor`: what runs, and how it is. */
import { type Command, Option } from 'commander';

import { serversOf } from '../../config/config.ts';
import { WORKER_SESSIONS } from '../../db/installation-guard.ts';
import { migrate, planMigrations, readSchemaState, requireCurrentSchema } from '../../db/migrate.ts';
import { counted } from '../../domain/counted.ts';
import { kinds, type Kind } from '../../domain/run.ts';
import { errorTable, JobError, toJobError } from '../../errors.ts';

import type { Program } from '../../main.ts';
import { recordMigration } from '../audited.ts';
import { done, readConfig, run, runWithClient, text, withProgram, type Invocation } from '../command.ts';
import { findEnvironment } from '../environment.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { fields } from '../output.ts';
import { backupChecks, type BackupCheck } from './doctor-backup.ts';
import { type Detail, examineBaseIdentity } from './doctor-base-identity.ts';
import { askRole, type Role } from './doctor-role.ts';
import { endInTime, untilStopped } from '../signals.ts';
import { describeStatus, needsAttention, readStatus } from '../status.ts';

export function addMigrate(command: Command): void {
  run(
    command
      .option('--check', 'only say whether it is; exit 1 if not')
      .option('--plan', 'print the statements that are missing, and run none'),
    runMigrate,
  );
}

export function addWorker(command: Command): void {
  run(
    command
      .option('--queues <a,b>', 'only these of validate,sync,rotate')
      .option(
        '--guarded',
        'validate, check and plan only, until `keyferry restore accept`: for a restored or copied database',
      ),
    runWorker,
  );
}

export function addServer(command: Command): void {
  run(command, runServer);
}

export function addStatus(command: Command): void {
  runWithClient(
    command.option(
      '--exit-code',
      'exit 3 when something needs attention: failures, drift, a guard, a queue that is down, or no worker',
    ),
    async ({ client, options, output, program }) => {
      const status = await readStatus(client, program);
      output.result(status, () => describeStatus(status, new Date()));
      return options.exitCode === true && needsAttention(status) ? exitCodes.hasChanges : done;
    },
  );
}

export function addDoctor(command: Command): void {
  run(
    command
      .option('--backup', 'only whether this database could be restored with these settings')
      .addOption(
        new Option('--role <role>', 'only whether the worker or server of this machine is ready')
          .choices(['worker', 'server'])
          .conflicts('backup'),
      ),
    runDoctor,
  );
}

async function runMigrate({ options, output }: Invocation): Promise<ExitCode> {
  const environment = await findEnvironment(output);
  const servers = serversOf(environment);
  const { databaseUrl } = servers;
  if (options.check === true) {
    const state = await readSchemaState(databaseUrl);
    const isCurrent = state.applied === state.known;
    output.result({ ...state, isCurrent }, () =>
      isCurrent
        ? 'The schema is up to date.'
        : `${counted(state.known - state.applied, 'migration is', 'migrations are')} missing. Run \`keyferry migrate\`.`,
    );
    return isCurrent ? exitCodes.done : exitCodes.failed;
  }
  if (options.plan === true) {
    const plan = await planMigrations(databaseUrl);
    output.result(plan, () =>
      plan.length === 0
        ? 'The schema is up to date.'
        : plan.map(({ name, statements }) => `-- ${name}\n${statements.join('\n')}`).join('\n\n'),
    );
    return done;
  }
  const migrated = await migrate(databaseUrl);
  if (migrated.applied > 0) await recordMigration(databaseUrl);
  const { createQueueBackend } = await import('../../queues/backend.ts');
  const backend = await createQueueBackend(servers);
  await backend.prepare();
  await backend.close();
  output.result(migrated, () =>
    migrated.applied === 0 ? 'The schema is up to date.' : `${counted(migrated.applied, 'migration')} applied.`,
  );
  return done;
}

async function runWorker(invocation: Invocation): Promise<ExitCode> {
  const queues = parseQueues(text(invocation.options, 'queues'));
  const config = await readConfig(invocation);
  return withProgram({ ...config, sessionName: WORKER_SESSIONS }, config.logLevel, async (program) => {
    await start(program, 'worker');
    // From here on there is something to shut down in order.
    const stopped = untilStopped();
    const worker = await program.startWorker({ queues, isGuarded: invocation.options.guarded === true });
    program.log.info({ queues, engine: program.engine, concurrency: config.concurrency }, 'worker started');
    const probe = await program.startProbe(worker);
    if (probe) program.log.info({ url: probe.url }, 'health and metrics');
    const signal = await Promise.race([stopped, worker.mustBeReplaced]);
    if (signal === undefined) endInTime();
    program.log.info({ signal }, 'worker stopping');
    await worker.stop();
    await probe?.close();
    return signal === undefined ? exitCodes.failed : done;
  });
}

/** What every long-running process checks and logs before it does anything. */
export async function start(program: Program, name: string): Promise<void> {
  await program.startTelemetry();
  await program.aws();
  for (const warning of await program.checkReady()) program.log.warn(warning);
  const overrides = await program.endpointOverrides();
  if (overrides.length > 0) program.log.warn({ overrides }, `${name} uses AWS endpoint overrides`);
}

function parseQueues(list: string | undefined): readonly Kind[] {
  if (list === undefined) return kinds;
  const named = list.split(',').map((one) => one.trim());
  const unknown = named.filter((one) => !(kinds as readonly string[]).includes(one));
  if (unknown.length > 0)
    throw new JobError('PAYLOAD_INVALID', {
      message: `--queues names ${unknown.join(', ')}; it takes ${kinds.join(', ')}.`,
    });
  return named as Kind[];
}

async function runServer(invocation: Invocation): Promise<ExitCode> {
  const config = await readConfig(invocation);
  return withProgram(config, config.logLevel, async (program) => {
    await start(program, 'server');
    const stopped = untilStopped();
    const server = await program.startServer();
    program.log.info({ url: server.url }, 'server started');
    const signal = await stopped;
    program.log.info({ signal }, 'server stopping');
    await server.close();
    return done;
  });
}

interface Finding extends Detail {
  readonly part: string;
  readonly isFine: boolean;
}

async function runDoctor(invocation: Invocation): Promise<ExitCode> {
  const config = await readConfig(invocation);
  const { role } = invocation.options;
  if (role !== undefined) return report(invocation, await askRole(role as Role, config));
  return withProgram(config, 'silent', async (program) => {
    if (invocation.options.backup === true) return report(invocation, await examineAll(backupChecks(program)));
    const findings = [
      await examine('database', async () => {
        await program.stores.ping();
        await requireCurrentSchema(config.databaseUrl);
        await program.stores.database.requireWritable();
        const { applied } = await readSchemaState(config.databaseUrl);
        return `writable, ${counted(applied, 'migration')} applied`;
      }),
      await examine('encryption keys', async () => {
        const fault = await program.stores.encryptionKeys.requireAll();
        if (fault) throw fault;
        const usage = await program.stores.encryptionKeys.usage();
        const shares = usage.map(({ keyId, rows }) => `${keyId}: ${counted(rows, 'row')}`);
        return ['all keys in use are configured', ...shares].join('; ');
      }),
      ...(await examineKmsKeys(program)),
      await examine(
        `queue (${program.engine})`,
        async () => (await (await program.backend()).check()).join(' ') || 'reachable',
      ),
      await examine('AWS endpoints', async () => {
        await program.aws();
        const overrides = await program.endpointOverrides();
        return overrides.length === 0
          ? 'AWS’s own'
          : overrides.map(({ source, url }) => `${source} = ${url}`).join(', ');
      }),
      await examine('AWS base identity', () => examineBaseIdentity(program)),
    ];
    return report(invocation, findings);
  });
}

/** Those of KEYFERRY_KMS_KEY_ARN, each asked for its state. */
async function examineKmsKeys(program: Program): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const arn of program.config.kms?.arns ?? [])
    findings.push(await examine(`KMS key ${arn}`, async () => (await program.aws()).dataKeys.describe(arn)));
  return findings;
}

async function examineAll(checks: readonly BackupCheck[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { part, look } of checks) findings.push(await examine(part, look));
  return findings;
}

function report({ output }: Invocation, findings: readonly Finding[]): ExitCode {
  output.result(findings, () => fields(findings.map((one) => [`${markOf(one)} ${one.part}`, textOf(one)])));
  return findings.every((one) => one.isFine) ? exitCodes.done : exitCodes.failed;
}

function markOf({ isFine, warning }: Finding): string {
  if (!isFine) return '✗';
  return warning === undefined ? '✓' : '!';
}

const textOf = ({ detail, warning }: Finding) => (warning === undefined ? detail : `${detail}. ${warning}`);

async function examine(part: string, look: () => Promise<string | Detail>): Promise<Finding> {
  try {
    const found = await look();
    return { part, isFine: true, ...(typeof found === 'string' ? { detail: found } : found) };
  } catch (error) {
    return { part, isFine: false, detail: describeFailure(toJobError(error)) };
  }
}

/** An error with its own message already says what to do. */
function describeFailure({ code, operatorMessage }: JobError): string {
  const { message, nextStep } = errorTable[code];
  return operatorMessage === message ? `${message} ${nextStep}` : operatorMessage;
}
