import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { createBatcher } from '../../src/concurrency/batcher.ts';
import { JobError } from '../../src/errors.ts';

describe('a batcher', () => {
  it('repeats a batch that fails item by item, so that the bad one fails alone', async () => {
    const sizes: number[] = [];
    const perform = createBatcher<string, string>(100, (items) => {
      sizes.push(items.length);
      if (items.includes('bad')) return Promise.reject(new Error('invalid byte sequence'));
      return Promise.resolve(items.map((item) => item.toUpperCase()));
    });
    const results = await Promise.allSettled(['a', 'bad', 'b', 'c'].map(perform));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.status))).toEqual([
      'A',
      'rejected',
      'B',
      'C',
    ]);
    expect(sizes).toEqual([4, 1, 1, 1, 1]);
    expect(await perform('d')).toBe('D');
  });

  it.each(['DB_UNAVAILABLE', 'LEASE_LOST', 'AWS_THROTTLED'] as const)(
    'does not repeat what %s failed',
    async (code) => {
      let calls = 0;
      const perform = createBatcher<string, string>(100, () => {
        calls += 1;
        return Promise.reject(new JobError(code));
      });
      const results = await Promise.allSettled(['a', 'b', 'c'].map(perform));
      expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(calls).toBe(1);
    },
  );
});

describe('a batcher that gathers', () => {
  const sizesOf = async (first: number): Promise<readonly number[]> => {
    const sizes: number[] = [];
    const perform = createBatcher<number, number>(
      100,
      (items) => {
        sizes.push(items.length);
        return Promise.resolve(items);
      },
      { gathers: true },
    );
    await Promise.all(Array.from({ length: first }, (_, index) => perform(index)));
    const second = perform(100);
    // Promises only: a batch that does not wait is under way by then.
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    await Promise.all([second, perform(101)]);
    return sizes;
  };

  it('waits for more after a batch that was shared', async () => {
    expect(await sizesOf(3)).toEqual([3, 2]);
  });

  it('does not wait after one that came alone', async () => {
    expect(await sizesOf(1)).toEqual([1, 1, 1]);
  });
});

/**
 * Each use of a batch, and the test that a bad item fails alone there. Whoever adds one proves it,
 * and lists it here.
 */
const uses: Readonly<Record<string, { readonly count: number; readonly proof: string }>> = {
  'db/audit-log.ts': { count: 1, proof: 'integration/server/bad-text.test.ts: fails alone among audit rows' },
  'db/connection-status.ts': {
    count: 2,
    proof: 'integration/server/bad-text.test.ts: fails alone among the uses of a connection',
  },
  'db/engine/together.ts': { count: 1, proof: 'integration/engine/together.test.ts: do not suffer from one' },
  'db/engine/work.ts': { count: 2, proof: 'integration/engine/together.test.ts: do not suffer from one' },
  'workers/sync/former-owners.ts': { count: 1, proof: 'unit/batcher.test.ts: repeats a batch that fails item by item' },
  'workers/sync/ledger.ts': { count: 1, proof: 'integration/server/bad-text.test.ts: fails alone among ledger rows' },
  'workers/sync/destinations/parameter-store/destination.ts': {
    count: 1,
    proof: 'unit/batcher.test.ts: repeats a batch that fails item by item',
  },
};

describe('every batch in the program', () => {
  it('is listed with its proof, and is made by createBatcher', () => {
    const found = Object.fromEntries(
      sources()
        .map(
          ([path, text]) => [path, (text.match(/(?<!function )\b(createBatcher|together)[<(]/g) ?? []).length] as const,
        )
        .filter(([, count]) => count > 0),
    );
    expect(found).toEqual(Object.fromEntries(Object.entries(uses).map(([path, { count }]) => [path, count])));
  });

  it.each(Object.values(uses).map(({ proof }) => proof))('has the proof %s', (proof) => {
    const [file = '', name = ''] = proof.split(': ');
    expect(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')).toContain(name);
  });
});

function sources(): readonly (readonly [string, string])[] {
  const root = new URL('../../src/', import.meta.url);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, readFileSync(new URL(path, root), 'utf8')] as const);
}
