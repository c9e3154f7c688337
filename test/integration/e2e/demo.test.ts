/** The README's first command, as a newcomer with the worst shell imaginable runs it. */
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { describe, expect, it } from 'vitest';

import { hostileEnvironment } from '../../support/environment.ts';
import { runKeyferry, startKeyferry } from '../../support/processes.ts';

const leftovers = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('keyferry-demo-'));

interface DemoDocument {
  readonly status: {
    readonly connections: readonly { readonly name: string; readonly status: string }[];
    readonly syncs: readonly { readonly syncStatus: string }[];
    readonly rotations: readonly unknown[];
  };
  readonly awsCalls: Readonly<Record<string, number>>;
}

describe('keyferry demo', () => {
  it('does the whole main job in an environment full of hostile values, and leaves nothing behind', async () => {
    const before = await leftovers();
    const exit = await runKeyferry(['demo', '--json'], { environment: hostileEnvironment() }, 90_000);
    expect(exit.stderr).toBe('');
    expect(exit.code).toBe(0);
    const document = JSON.parse(exit.stdout) as DemoDocument;
    expect(document.status.connections.map((one) => [one.name, one.status])).toEqual([
      ['shop-key', 'valid'],
      ['shop-role', 'valid'],
      ['wrong-role', 'invalid'],
    ]);
    expect(document.status.syncs.map((one) => one.syncStatus)).toEqual(Array(4).fill('succeeded'));
    expect(document.status.rotations).toMatchObject([{ rotationStatus: 'succeeded' }]);
    expect(document.awsCalls['ssm.PutParameter']).toBeGreaterThan(25);
    expect(exit.stdout).not.toMatch(/value \d+ of the demo|changed by the demo/);
    expect(await leftovers()).toEqual(before);
  }, 100_000);

  it('cleans up when it is interrupted', async () => {
    const before = await leftovers();
    const demo = startKeyferry(['demo'], { environment: hostileEnvironment() });
    await demo.waitForLine(/1\. Connections/, 60_000);
    demo.signal('SIGINT');
    expect((await demo.waitForExit(30_000)).code).toBe(1);
    expect(await leftovers()).toEqual(before);
  }, 100_000);
});
