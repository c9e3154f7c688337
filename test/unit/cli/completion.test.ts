/** What the shell offers: tried in bash itself, where there is one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { completionOf } from '../../../src/cli/completion.ts';
import { createProgram } from '../../../src/cli/program.ts';

const program = await createProgram();
const hasBash = spawnSync('bash', ['--version']).status === 0;

/** The last word is the one that is being typed. */
function offered(...words: readonly string[]): readonly string[] {
  const line = ['keyferry', ...words].map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${line}); COMP_CWORD=${String(words.length)}; _keyferry; printf '%s\n' "\${COMPREPLY[@]}"`;
  const script = `set -eu\n${completionOf(program, ['--completion', 'bash'])}\n${ask}`;
  const answer = execFileSync('bash', ['--norc', '--noprofile', '-c', script], { encoding: 'utf8' });
  return answer.split('\n').filter((word) => word !== '');
}

describe.runIf(hasBash)('completion in bash', () => {
  it.each([
    [['sy'], ['sync']],
    [['sync', 'cr'], ['create']],
    [
      ['sync', 'create', '--re'],
      ['--region', '--recursive', '--recovery-days', '--replica-region'],
    ],
    [
      ['sync', 'create', '--to', ''],
      ['parameter-store', 'secrets-manager'],
    ],
    [
      ['--completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    // What may be anything is left to the shell.
    [['sync', 'create', '--name', ''], []],
    [['sync', 'run', 'api', '--ye'], ['--yes']],
    [['up', '--sand'], ['--sandbox']],
    [['connection', 'create', '--hel'], ['--help']],
  ])('%j: %j', (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });
});

it('is written for each shell, with every command', () => {
  const commands = program.commands.flatMap((noun) => noun.commands.map((verb) => `${noun.name()} ${verb.name()}`));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = completionOf(program, [`--completion=${shell}`]);
    for (const command of commands) expect(script).toContain(`'${command}'`);
  }
});

it.each([
  [['--completion', 'tcsh']],
  [['--completion']],
  [['--completion', 'toString']],
  [['--completion', 'bash', 'x']],
])('%j is refused with the shells that there are', (args) => {
  expect(() => completionOf(program, args)).toThrow('bash, zsh, fish');
});
