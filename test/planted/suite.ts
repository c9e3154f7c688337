/** Runs one suite in a copy of the tree and judges its report. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from '../support/environment.ts';
import type { SuiteCommand } from './patches.ts';

/** Ample for the slowest suite on a busy machine; a defect that hangs its suite ends here. */
const LIMIT_MS = 240_000;

export interface SuiteResult {
  /** `broken`: something else than a test failed, or there was no test. */
  readonly verdict: 'green' | 'red' | 'broken';
  readonly detail: string;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

export async function runSuite(
  directory: string,
  suite: SuiteCommand,
  servers: Readonly<Record<string, string>>,
): Promise<SuiteResult> {
  const file = join(directory, 'planted-report.json');
  rmSync(file, { force: true });
  const environment = { ...servers, ...suite.environment, KEYFERRY_TEST_SUMMARY: file, CI: 'true' };
  const code = await runVitest(directory, suite.arguments, environment);
  if (code === 'timeout') return { verdict: 'broken', detail: `did not end within ${String(LIMIT_MS / 1000)} s` };
  return judge(readReport(file), code);
}

function runVitest(
  directory: string,
  parameters: readonly string[],
  extra: Readonly<Record<string, string>>,
): Promise<number | 'timeout'> {
  const program = join(directory, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [program, ...parameters], {
    cwd: directory,
    env: cleanEnvironment(extra),
    stdio: 'ignore',
    detached: true,
  });
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      // The group: a worker in an endless loop hears no signal that its parent would hand on.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      resolve('timeout');
    }, LIMIT_MS);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(limit);
      resolve(code ?? 1);
    });
  });
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

/** Not a test's verdict on behaviour, but code that cannot run. */
const CANNOT_RUN = /^\s*(ReferenceError|SyntaxError)\b/;

export function judge(report: Report | undefined, code: number): SuiteResult {
  if (!report) return { verdict: 'broken', detail: 'wrote no report' };
  const unloaded = report.testResults.find((file) => file.status === 'failed' && file.assertionResults.length === 0);
  if (unloaded) return { verdict: 'broken', detail: `a file did not load: ${firstLine(unloaded.message)}` };
  const messages = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ status, failureMessages }) =>
      status === 'failed' ? [failureMessages.join('\n')] : [],
    ),
  );
  const [first = ''] = messages;
  if (messages.length > 0 && messages.every((message) => CANNOT_RUN.test(message)))
    return { verdict: 'broken', detail: firstLine(first) };
  if (messages.length > 0) return { verdict: 'red', detail: firstLine(first) };
  if (report.numPassedTests === 0) return { verdict: 'broken', detail: 'no test ran' };
  if (code !== 0) return { verdict: 'broken', detail: `exit code ${String(code)} without a failed test` };
  return { verdict: 'green', detail: `${String(report.numPassedTests)} passed` };
}

function firstLine(text: string): string {
  return (text.trim().split('\n')[0] ?? '').slice(0, 100);
}
