/** The last line of `npm run test:clients`: what was checked, and what was left out, by name. */
import type { Reporter } from 'vitest/node';

export const clientsSum: Reporter = {
  onTestRunEnd(modules) {
    const ours = modules.filter(({ project }) => project.name === 'clients');
    if (ours.length === 0) return;
    const tests = ours.flatMap((module) => [...module.children.allTests()]);
    const of = (state: string) => tests.filter((test) => test.result().state === state);
    const leftOut = of('skipped');
    for (const test of leftOut) console.log(`left out: ${test.fullName}`);
    const counts = [tests.length - leftOut.length, of('passed').length, leftOut.length].map(String);
    console.log(`clients: ${counts[0] ?? ''} checks, ${counts[1] ?? ''} passed, ${counts[2] ?? ''} left out`);
  },
};
