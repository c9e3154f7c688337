import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cleanEnvironment } from '../../support/environment.ts';
import { startProcess, type Exit } from '../../support/processes.ts';

const SCRIPT = new URL('../../../scripts/bootstrap.mjs', import.meta.url).pathname;
const lockfile = (version: string): string =>
  JSON.stringify({
    packages: {
      '': { optionalDependencies: { wanted: '*' } },
      'node_modules/a': { version },
      'node_modules/other-platform': { version, optional: true },
      'node_modules/wanted': { version, optional: true },
    },
  });
const installed = (version: string): string =>
  JSON.stringify({ packages: { 'node_modules/a': { version }, 'node_modules/wanted': { version } } });

/** In place of npm: writes down that it ran, then does what npm's last step does. */
const FAKE_NPM = `
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
appendFileSync('runs', process.argv.slice(2).join(' ') + '\\n');
console.log('noise of npm');
if (process.env.FAKE_NPM_FAILS) process.exit(1);
mkdirSync('node_modules', { recursive: true });
writeFileSync('node_modules/.package-lock.json', ${JSON.stringify(installed('2'))});
`;

async function createProject(present?: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'keyferry-test-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'scripts'));
  await mkdir(join(root, 'node_modules'));
  await cp(SCRIPT, join(root, 'scripts/bootstrap.mjs'));
  await writeFile(join(root, 'package-lock.json'), lockfile('2'));
  await writeFile(join(root, 'npm-cli.js'), FAKE_NPM);
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  if (present !== undefined) await writeFile(join(root, 'node_modules/.package-lock.json'), present);
  return root;
}

function bootstrap(root: string, program: string, extra: Record<string, string> = {}): Promise<Exit> {
  const child = startProcess(process.execPath, {
    arguments: [join(root, 'scripts/bootstrap.mjs'), 'node', '-e', program],
    directory: root,
    environment: cleanEnvironment({ npm_execpath: join(root, 'npm-cli.js'), ...extra }),
  });
  return child.waitForExit();
}

const runsOfNpm = async (root: string): Promise<number> =>
  (await readFile(join(root, 'runs'), 'utf8').catch(() => '')).split('\n').length - 1;

describe('scripts/bootstrap.mjs', () => {
  it('installs nothing when everything is there', async () => {
    const root = await createProject(installed('2'));
    expect(await bootstrap(root, 'console.log("done")')).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
    expect(await runsOfNpm(root)).toBe(0);
  });

  it.each([
    ['missing', undefined],
    ['of another lockfile', installed('1')],
  ])('installs dependencies that are %s, and says so on stderr alone', async (_, present) => {
    const root = await createProject(present);
    const { code, stdout, stderr } = await bootstrap(root, 'console.log("done")');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'done\n' });
    expect(stderr).toContain('installing the dependencies');
    expect(await runsOfNpm(root)).toBe(1);
  });

  it('installs once for two commands at once', async () => {
    const root = await createProject();
    const exits = await Promise.all([bootstrap(root, '0'), bootstrap(root, '0')]);
    expect(exits.map(({ code }) => code)).toEqual([0, 0]);
    expect(await runsOfNpm(root)).toBe(1);
  });

  it('is not held up by the lock of a command that is gone', async () => {
    const root = await createProject();
    await mkdir(join(root, '.cache'));
    await writeFile(join(root, '.cache/install.lock'), '4194399');
    expect((await bootstrap(root, '0')).code).toBe(0);
  });

  it('hands the exit code on', async () => {
    const root = await createProject(installed('2'));
    expect((await bootstrap(root, 'process.exit(3)')).code).toBe(3);
  });

  it('hands signals on and waits for the end', async () => {
    const root = await createProject(installed('2'));
    const program = `process.on('SIGTERM', () => { console.log('settled'); process.exit(0); });
      setInterval(() => {}, 1000); console.log('up');`;
    const child = startProcess(process.execPath, {
      arguments: [join(root, 'scripts/bootstrap.mjs'), 'node', '-e', program],
    });
    await child.waitForLine(/^up$/);
    child.signal('SIGTERM');
    expect(await child.waitForExit()).toMatchObject({ code: 0, stdout: 'up\nsettled\n' });
  });

  it('fails without running the command when npm fails', async () => {
    const root = await createProject();
    const { code, stdout, stderr } = await bootstrap(root, 'console.log("done")', { FAKE_NPM_FAILS: '1' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('run the same command again');
  });
});
