/**
 * A newcomer's first hour: `keyferry up --sandbox`, the commands it prints, then those of the
 * README.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { hostileEnvironmentOfUp } from '../../support/environment.ts';
import { runProcess, startUnboundKeyferry, type Exit, type TestProcess } from '../../support/processes.ts';

const PROGRAM = new URL('../../../bin/keyferry.js', import.meta.url).pathname;

let directory: string;
let up: TestProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-first-hour-'));
  const environment = { ...hostileEnvironmentOfUp(), KEYFERRY_WEBHOOK_HOSTS: '127.0.0.1' };
  up = startUnboundKeyferry(['up', '--sandbox', '--port', '0'], { environment, directory });
  await up.waitForLine(/npx keyferry status/, 60_000);
}, 70_000);

afterAll(async () => {
  up.signal('SIGTERM');
  await up.waitForExit(30_000).finally(() => up.kill());
  await rm(directory, { recursive: true, force: true });
}, 40_000);

/**
 * A shell in which `keyferry` and `npx keyferry` are this checkout; the first failing command ends
 * it.
 */
function paste(commands: string): Promise<Exit> {
  const script = `set -e -o pipefail
keyferry() { "${process.execPath}" "${PROGRAM}" "$@"; }
npx() { "$@"; }
${commands}`;
  return runProcess('bash', { arguments: ['-c', script], directory }, 90_000);
}

interface StatusDocument {
  readonly connections: readonly { readonly name: string; readonly status: string }[];
  readonly syncs: readonly { readonly name: string; readonly syncStatus: string }[];
}

async function status(): Promise<StatusDocument> {
  return JSON.parse((await paste('keyferry status --json')).stdout) as StatusDocument;
}

describe('keyferry up --sandbox', () => {
  it('was told which hosts take webhooks, and so are the commands of its folder', async () => {
    const exit = await paste(
      'keyferry webhook create own --url http://127.0.0.1:9/ && keyferry webhook delete own --yes',
    );
    expect(exit.code, exit.stderr).toBe(0);
  }, 60_000);

  it('prints commands that work as they are pasted', async () => {
    const commands = up
      .stdout()
      .split('\n')
      .filter((line) => line.includes('npx keyferry '));
    expect(commands.length).toBeGreaterThanOrEqual(3);
    const exit = await paste(commands.join('\n'));
    expect(exit.code, exit.stdout + exit.stderr).toBe(0);
    expect(await status()).toMatchObject({
      connections: expect.arrayContaining([expect.objectContaining({ name: 'first', status: 'valid' })]) as unknown,
      syncs: expect.arrayContaining([expect.objectContaining({ name: 'app', syncStatus: 'succeeded' })]) as unknown,
    });
  }, 120_000);

  it('is a world in which the README’s commands work', async () => {
    const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
    const [, block = ''] = /^## In development\n[^]*?^```\n([^]*?)^```$/m.exec(readme) ?? [];
    expect(block).toContain('keyferry rotation create');
    await writeFile(join(directory, '.env'), 'DB_HOST=db.internal\nDB_USER=shop\n');
    const exit = await paste(block);
    expect(exit.code, exit.stdout + exit.stderr).toBe(0);
  }, 120_000);

  it('has an access key that a connection can use, with its secret in a file', async () => {
    const [, id = '', file = ''] = /access key +(AKIA\w+) +\(its secret: (.+)\)/.exec(up.stdout()) ?? [];
    const secret = (await readFile(file, 'utf8')).trim();
    expect(up.stdout()).not.toContain(secret);
    const exit = await paste(
      `keyferry connection create --name key --method access-key --access-key-id ${id} < ${file}`,
    );
    expect(exit.code, exit.stdout + exit.stderr).toBe(0);
  }, 60_000);
});
