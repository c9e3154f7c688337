/**
 * How long a newcomer waits for the demo with dependencies installed, and anybody for the help of
 * the program as it is deployed.
 */
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { runKeyferry } from '../test/support/processes.ts';
import { build } from './build.ts';
import type { Figure } from './figure.ts';

const HELPS = 9;

export async function measureStartup(): Promise<readonly Figure[]> {
  const demo = await secondsOf(['demo', '--json']);
  await build();
  const helps: number[] = [];
  for (let count = 0; count < HELPS; count += 1) helps.push(await secondsOf(['--help']));
  const help = helps.toSorted((a, b) => a - b)[Math.floor(HELPS / 2)] ?? Number.NaN;
  return [
    { name: 'demo.seconds', value: demo, unit: 's', goal: '<= 20' },
    { name: 'help.seconds', value: help, unit: 's', goal: '<= 0.3' },
  ];
}

async function secondsOf(command: readonly string[]): Promise<number> {
  const startedAtMs = performance.now();
  const exit = await runKeyferry([...command], { environment: sandboxEnvironment(process.env) }, 120_000);
  if (exit.code !== 0) throw new Error(`${command.join(' ')} ended with ${String(exit.code)}: ${exit.stderr}`);
  return (performance.now() - startedAtMs) / 1_000;
}
