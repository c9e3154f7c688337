/** `--help` of every command: examples that parse, and which options are required. */
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { examples } from '../../../src/cli/examples.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { withHelpAsked } from '../../../src/cli/usage.ts';

function leaves(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  const below = command.commands.flatMap((one) => leaves(one, [...path, one.name()]));
  return below.length === 0 ? [path] : below;
}

const find = (program: Command, path: readonly string[]): Command =>
  path.reduce((command, name) => command.commands.find((one) => one.name() === name) ?? command, program);

/** The words that a shell makes of it, without redirections. */
function toArguments(line: string): readonly string[] {
  const [, ...words] = line.match(/'[^']*'|"[^"]*"|[^\s'"]+/g) ?? [];
  const end = words.findIndex((word) => word === '<' || word === '|');
  return words.slice(0, end < 0 ? undefined : end).map((word) => word.replace(/^['"]|['"]$/g, ''));
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
}

describe('--help', async () => {
  const whole = await createProgram();
  const paths = leaves(whole);

  it.each(paths.map((path) => [path.join(' ')]))('of `%s` shows examples that parse', async (path) => {
    const lines = examples[path] ?? [];
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const program = await createProgram();
      const command = find(program, path.split(' '));
      expect(line.startsWith(`keyferry ${path}`)).toBe(true);
      expect(helpOf(command)).toContain(`  ${line}`);
      let isRun = false;
      command.action(() => {
        isRun = true;
      });
      await program.parseAsync(toArguments(line), { from: 'user' });
      expect([line, isRun]).toEqual([line, true]);
      const required = command.options.filter(({ description }) => description.endsWith('(required)'));
      const missing = required.filter((option) => command.getOptionValue(option.attributeName()) === undefined);
      expect([line, missing.map(({ long }) => long)]).toEqual([line, []]);
    }
  });

  it('has examples of existing commands only', () => {
    const known = [...paths.map((path) => path.join(' ')), 'sandbox'];
    expect(Object.keys(examples).filter((path) => !known.includes(path))).toEqual([]);
  });

  it('offers --yes where the command asks before it takes something away, and nowhere else', () => {
    const asking = paths.filter((path) => find(whole, path).options.some(({ long }) => long === '--yes'));
    expect(asking.map((path) => path.join(' '))).toEqual([
      'connection delete',
      'secrets set',
      'secrets unset',
      'source unset',
      'sync update',
      'sync run',
      'sync remove',
      'sync import',
      'sync delete',
      'rotation run',
      'rotation delete',
      'identity rotate-secret',
      'identity revoke',
      'webhook delete',
    ]);
  });

  it.each([
    [['help', 'sync', 'craete'], 'There is no `keyferry sync craete`; did you mean `keyferry sync create`?'],
    [['sync', 'help', 'craete'], 'There is no `keyferry sync craete`; did you mean `keyferry sync create`?'],
    [['help', 'snc'], 'There is no `keyferry snc`; did you mean `keyferry sync`?'],
    [['help', 'craete'], 'There is no `keyferry craete`; `keyferry --help` lists the commands.'],
  ])('%j names the near miss', (args, message) => {
    expect(() => {
      withHelpAsked(whole, args);
    }).toThrow(message);
  });

  it.each([
    [
      ['help', 'sync', 'create'],
      ['sync', 'create', '--help'],
    ],
    [
      ['sync', 'help', 'create'],
      ['sync', 'create', '--help'],
    ],
    [
      ['sync', 'help'],
      ['sync', '--help'],
    ],
    [['help'], ['help']],
    [
      ['sync', 'show', 'help'],
      ['sync', 'show', 'help'],
    ],
  ])('%j is %j', (args, asked) => {
    expect(withHelpAsked(whole, args)).toEqual(asked);
  });

  it('says of each option what it is', () => {
    const bare = paths.flatMap((path) =>
      find(whole, path)
        .options.filter(({ description }) => description === '')
        .map(({ long }) => `${path.join(' ')} ${String(long)}`),
    );
    expect(bare).toEqual([]);
  });
});
