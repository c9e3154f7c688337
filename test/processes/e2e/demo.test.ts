/** The README's first command, as a newcomer with the worst shell imaginable runs it. */
import { readdir, readFile } from 'node:fs/promises';
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

/** What differs from run to run, or is left out of the README (`…`). */
const VARIABLE = /…|AKIA\w+|(?<=\/keyferry-)[0-9a-f]{8}[0-9a-f-]*/g;
const CHAPTER = /^\d+\. /;

async function readmeTranscript(): Promise<readonly string[]> {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, block = ''] = /^What `npm run demo` prints.*\n\n```\n([^]*?)```$/m.exec(readme) ?? [];
  return block.split('\n').filter((line) => line !== '');
}

function toPattern(line: string): RegExp {
  const parts = line.split(VARIABLE).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}

/** The lines of the transcript that are missing from the output, or come out of order. */
function missingLines(transcript: readonly string[], output: readonly string[]): readonly string[] {
  let from = 0;
  return transcript.filter((line) => {
    const found = output.slice(from).findIndex((printed) => toPattern(line).test(printed));
    from += found + 1;
    return found < 0;
  });
}

describe('keyferry demo', () => {
  it('prints what the README shows', async () => {
    const exit = await runKeyferry(['demo'], { environment: hostileEnvironment() }, 90_000);
    expect(exit.stderr).toBe('');
    const output = exit.stdout.split('\n');
    const transcript = await readmeTranscript();
    const chapters = (lines: readonly string[]) => lines.filter((line) => CHAPTER.test(line));
    expect(chapters(transcript)).not.toEqual([]);
    expect(chapters(transcript)).toEqual(chapters(output));
    expect(missingLines(transcript, output)).toEqual([]);
  }, 100_000);

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
