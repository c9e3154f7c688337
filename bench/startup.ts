/** How long a newcomer waits for the demo, with dependencies installed. */
import { sandboxEnvironment } from '../src/sandbox/environment.ts';
import { runKeyferry } from '../test/support/processes.ts';
import type { Figure } from './figure.ts';

export async function measureStartup(): Promise<readonly Figure[]> {
  const startedAtMs = performance.now();
  const exit = await runKeyferry(['demo', '--json'], { environment: sandboxEnvironment(process.env) }, 120_000);
  if (exit.code !== 0) throw new Error(`the demo ended with ${String(exit.code)}: ${exit.stderr}`);
  return [{ name: 'demo.seconds', value: (performance.now() - startedAtMs) / 1_000, unit: 's', goal: '< 20' }];
}
