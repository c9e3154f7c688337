/**
 * What an operator types in `up --sandbox`: more of AWS, a cancelled sync, a time limit, a state
 * for scripts.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { VERSION } from '../../../src/version.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { runKeyferry, startKeyferry, startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';

let directory: string;
let up: TestProcess;
let host: CommandHost;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-operator-'));
  up = startUnboundKeyferry(['up', '--sandbox', '--port', '0'], { environment: cleanEnvironment(), directory });
  await up.waitForLine(/npx keyferry status/, 60_000);
  const state = JSON.parse(await readFile(join(directory, '.keyferry', 'up.json'), 'utf8')) as UpFile;
  environment = { ...cleanEnvironment(), ...state.environment };
  host = startCommandHost(environment);
}, 70_000);

interface UpFile {
  readonly environment: Readonly<Record<string, string>>;
}

afterAll(async () => {
  await host.stop();
  up.signal('SIGTERM');
  await up.waitForExit(30_000).finally(() => up.kill());
  await rm(directory, { recursive: true, force: true });
}, 40_000);

const keyferry = (line: string) => host.run({ args: line.split(' '), environment });
/** In a process of its own, in the folder of `up`. */
const keyferryWith = (input: string, line: string) => runKeyferry(line.split(' '), { directory, input }, 60_000);
const json = async <T>(line: string) => JSON.parse((await keyferry(`${line} --json`)).stdout) as T;
const place = '--project shop --env prod --path /long';

describe('keyferry sandbox create', () => {
  it('makes roles and access keys that connections can use', async () => {
    const role = await json<{ roleArn: string }>('sandbox create role deploy --account 999900001111');
    expect(role.roleArn).toBe('arn:aws:iam::999900001111:role/deploy');
    const byRole = await keyferry(`connection create --name deploy --method assume-role --role-arn ${role.roleArn}`);
    expect(byRole.code, byRole.stdout + byRole.stderr).toBe(0);

    expect((await keyferry('sandbox create user robot')).code).toBe(0);
    const file = join(directory, 'robot-secret');
    const key = await json<{ accessKeyId: string }>(`sandbox create access-key --user robot --secret-file ${file}`);
    const byKey = await keyferryWith(
      await readFile(file, 'utf8'),
      `connection create --name robot --method access-key --access-key-id ${key.accessKeyId}`,
    );
    expect(byKey.code, byKey.stdout + byKey.stderr).toBe(0);
  }, 120_000);

  it('refuses names that IAM refuses, and says how to make the account that is missing', async () => {
    const badName = await host.run({ args: ['sandbox', 'create', 'role', 'foo bar'], environment });
    expect([badName.code, badName.stderr]).toEqual([2, expect.stringContaining('IAM role: foo bar (1 to 64')]);
    const noAccount = await keyferry('sandbox create access-key --user robot --account 999900002222');
    const command = '`keyferry sandbox create account --account 999900002222`';
    expect([noAccount.code, noAccount.stderr]).toEqual([2, expect.stringContaining(command)]);
  });

  it('says what AWS would refuse, and which sandbox is missing', async () => {
    const exit = await keyferry('sandbox create access-key --user nobody');
    expect([exit.code, exit.stderr]).toEqual([2, expect.stringContaining('The sandbox refused it:')]);
    const away = await keyferry('sandbox create account --url https://iam.amazonaws.com');
    expect([away.code, away.stderr]).toEqual([2, expect.stringContaining('No sandbox was found.')]);
  }, 60_000);
});

describe('a long sync', () => {
  beforeAll(async () => {
    const secrets = Array.from({ length: 600 }, (_, index) => `K${String(index)}=v`).join('\n');
    const account = /role +(arn:aws:iam::\d+:role\/\w+)/.exec(up.stdout())?.[1] ?? '';
    await keyferry(`connection create --name main --method assume-role --role-arn ${account}`);
    await keyferryWith(secrets, `secrets set ${place}`);
    const { connectAwsSandbox } = await import('../../../src/sandbox/aws/index.ts');
    // As slow as AWS is without higher limits.
    await connectAwsSandbox(environment.AWS_ENDPOINT_URL ?? '').setQuotas('documented');
    const to = '--to parameter-store --region eu-west-1 --prefix /long/';
    const created = await keyferry(`sync create --name long --connection main ${place} ${to} --no-auto`);
    expect(created.code, created.stderr).toBe(0);
  }, 120_000);

  it('shows its progress, goes on without the command, and can be cancelled', async () => {
    const waiting = startKeyferry(['sync', 'run', 'long'], { directory });
    await waiting.waitForLine(/\d+ of 600 written/, 40_000);
    waiting.signal('SIGINT');
    const interrupted = await waiting.waitForExit(10_000);
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /The work continues: follow it with `keyferry sync show long`, cancel it with `keyferry sync cancel long`\./,
    );

    const limited = await keyferry('sync check long --timeout 1s');
    expect(limited.code).toBe(1);
    expect(limited.stderr).toContain('[QUEUE_TIMEOUT]');

    const cancelled = await json<{ sync: { syncStatus: string }; run: { status: string } | null }>('sync cancel long');
    expect(cancelled.sync.syncStatus).toBe('cancelled');
    const again = await keyferry('sync cancel long');
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('[SYNC_NOTHING_TO_CANCEL]')]);
  }, 120_000);

  it('is named with every missing option at once', async () => {
    const exit = await keyferry('sync create --name x');
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('--project, --env, --path, --connection, --to are missing.');
  }, 60_000);
});

describe('keyferry sync create --preview', () => {
  it('shows what the first run would write, and writes nothing until the sync is resumed', async () => {
    await keyferryWith('SEEN=1\nUNSEEN=2\n', 'secrets set --project shop --env prod --path /preview');
    const options =
      '--connection main --project shop --env prod --path /preview --to parameter-store --region eu-west-1';
    const created = await keyferry(`sync create --name first-look ${options} --prefix /preview/ --preview`);
    expect([created.code, created.stderr]).toEqual([0, expect.stringContaining('keyferry sync resume first-look')]);
    expect(created.stdout).toMatch(/create +SEEN +\/preview\/SEEN/);
    expect(created.stdout).toContain('2 changes, 0 unchanged');
    const seen = await json<{ pausedAt: string | null; entries: unknown[] }>('sync show first-look');
    expect([seen.pausedAt, seen.entries]).toEqual([expect.any(String), []]);
    const document = await json<{ sync: { name: string }; plan: { changes: unknown[] } }>(
      `sync create --name second-look ${options} --prefix /again/ --preview`,
    );
    expect([document.sync.name, document.plan.changes.length]).toEqual(['second-look', 2]);
    await keyferry('sync resume first-look');
    const written = await json<{ counts: { created: number; unchanged: number } }>('sync run first-look');
    expect(written.counts.created + written.counts.unchanged).toBe(2);
  }, 120_000);
});

describe('keyferry status', () => {
  it('lists the workers with version, queues and what they run', async () => {
    const { workers } = await json<{ workers: { areRunning: boolean; workers: { name: string }[] } }>('status');
    expect(workers.areRunning).toBe(true);
    expect(workers.workers).toMatchObject([{ version: VERSION, queues: ['validate', 'sync', 'rotate'] }]);
    const { stdout } = await keyferry('status');
    expect(stdout).toMatch(new RegExp(`${workers.workers[0]?.name ?? '-'} +running +${VERSION} +validate,sync,rotate`));
  }, 60_000);
});

describe('keyferry status --exit-code', () => {
  it('is 0 while all is well, and 3 when something needs a person', async () => {
    const well = await keyferry('status --exit-code --org calm');
    expect([well.code, well.stdout]).toEqual([0, expect.stringContaining('workers are running')]);
    await keyferry(
      'connection create --name wrong --method assume-role --role-arn arn:aws:iam::999900001111:role/none',
    );
    const troubled = await keyferry('status --exit-code');
    expect(troubled.code).toBe(3);
  }, 60_000);
});
