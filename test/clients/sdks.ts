/**
 * Infisical's SDKs of other languages, from their registries into `.cache`: what is missing there
 * is said, and the lane left out.
 */
import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const CACHE = fileURLToPath(new URL('../../.cache/clients/', import.meta.url));
const HERE = fileURLToPath(new URL('./', import.meta.url));
const PYTHON_SDK = 'infisicalsdk==1.0.18';

export type Settings = Readonly<Record<string, string>>;

/** Undefined when the lane can run, else what is missing. */
export type Program =
  | { readonly missing: string }
  | { readonly missing: undefined; outcome(settings: Settings): Promise<Readonly<Record<string, string | number>>> };

function runs(command: string, ...args: readonly string[]): Program {
  return {
    missing: undefined,
    async outcome(settings) {
      const { stdout } = await run(command, [...args], { env: { ...process.env, ...settings } });
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Readonly<Record<string, string | number>>;
    },
  };
}

async function exists(command: string, argument: string): Promise<boolean> {
  return run(command, [argument]).then(
    () => true,
    () => false,
  );
}

const failure = (error: unknown): string =>
  (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? String(error);

export async function preparePython(): Promise<Program> {
  if (!(await exists('python3', '--version'))) return { missing: 'python3' };
  const home = `${CACHE}python`;
  const python = `${home}/bin/python`;
  const script = `${HERE}python/sdk.py`;
  try {
    if (!(await exists(python, '--version'))) await run('python3', ['-m', 'venv', home]);
    await run(`${home}/bin/pip`, ['install', '--quiet', '--disable-pip-version-check', PYTHON_SDK]);
  } catch (error) {
    return { missing: `${PYTHON_SDK} (${failure(error)})` };
  }
  return runs(python, script);
}

/**
 * The first build compiles the SDKs of three clouds and takes minutes, so that it is only done
 * where it is asked for.
 */
export async function prepareGo(): Promise<Program> {
  if (process.env['CLIENTS_GO'] !== 'true') return { missing: 'CLIENTS_GO=true' };
  if (!(await exists('go', 'version'))) return { missing: 'go' };
  const program = `${CACHE}go-sdk`;
  try {
    await mkdir(CACHE, { recursive: true });
    await run('go', ['build', '-buildvcs=false', '-o', program, '.'], { cwd: `${HERE}go`, timeout: 900_000 });
    await access(program);
  } catch (error) {
    return { missing: `github.com/infisical/go-sdk (${failure(error)})` };
  }
  return runs(program);
}
