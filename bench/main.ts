/**
 * `npm run bench [-- NAME…] [--json]`: every benchmark, or one, each as a ratio measured in one run
 * on this machine.
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

import type { Figure } from './figure.ts';

/** Loaded when it is run: each brings its own servers. */
const benches: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  sandbox: async () => (await import('./sandbox.ts')).measureSandbox(),
  sync: async () => (await import('./sync.ts')).measureSync(),
  throughput: async () => (await import('./throughput.ts')).measureThroughput(),
  quota: async () => (await import('./quota.ts')).measureQuota(),
  latency: async () => (await import('./latency.ts')).measureLatencies(),
  validate: async () => (await import('./validate.ts')).measureValidate(),
  schedule: async () => (await import('./schedule.ts')).measureSchedule(),
  memory: async () => (await import('./memory.ts')).measureMemory(),
  api: async () => (await import('./api.ts')).measureApi(),
  startup: async () => (await import('./startup.ts')).measureStartup(),
  peers: async () =>
    (await import('./peers/index.ts')).measurePeers({ isQuick: values.quick, isWritten: values.write }),
};

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    // Of `peers`: each once and fewer cases; the page and its figures renewed.
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
/** By default all but the comparison with other tools, which takes half an hour. */
const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => name !== 'peers');
const unknown = names.filter((name) => !(name in benches));
if (unknown.length > 0) {
  process.stderr.write(`There is no benchmark ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.\n`);
  process.exit(2);
}

const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};
for (const name of names) {
  const figures = (await benches[name]?.()) ?? [];
  process.stdout.write(
    values.json ? `${JSON.stringify({ bench: name, machine, figures }, null, 2)}\n` : table(name, figures),
  );
}

function table(name: string, figures: readonly Figure[]): string {
  const lines = figures.map(
    (figure) =>
      `  ${figure.name.padEnd(34)} ${String(Math.round(figure.value * 1_000) / 1_000).padStart(10)} ${figure.unit.padEnd(12)} ${figure.goal}`,
  );
  return `${name} (${String(machine.cpus)} cores, Node ${machine.node})\n${lines.join('\n')}\n`;
}
