/**
 * The last line of `npm run test:secrecy`: how many values were planted, in how many places they
 * were looked for, and how often one was found.
 */
import type { Reporter } from 'vitest/node';

import type {} from './canaries.ts';

export const secrecySum: Reporter = {
  onTestRunEnd(modules) {
    const counts = modules
      .flatMap((module) => [...module.children.allTests()])
      .flatMap((test) => test.meta().secrecy ?? []);
    if (counts.length === 0) return;
    const sum = (of: 'canaries' | 'places' | 'hits') => String(counts.reduce((total, one) => total + one[of], 0));
    console.log(`secrecy: ${sum('canaries')} canaries, ${sum('places')} places, ${sum('hits')} hits`);
  },
};
