/** What a person waits for before the first line: a command loads what it was asked for. */
import { expect, test } from 'vitest';

import { cleanEnvironment } from '../../support/environment.ts';
import { loadedModules } from '../../support/loaded-modules.ts';

/** The command line itself: output, errors, and words without what follows them. */
const MOST_MODULES = 24;

test.each([['--help'], ['--version'], ['help'], ['nonsense']])(
  '`keyferry %s` loads the command line and no command',
  { timeout: 60_000 },
  async (arg) => {
    const { own, packages } = await loadedModules([arg], cleanEnvironment());
    expect(packages).toEqual(['commander']);
    expect(own).toContain('cli/program');
    expect(own.filter((path) => path.startsWith('cli/commands/'))).toEqual([]);
    expect(own.length).toBeLessThanOrEqual(MOST_MODULES);
  },
);

test('the help of a word loads the commands of that word only', { timeout: 60_000 }, async () => {
  const environment = cleanEnvironment();
  const asked = await loadedModules(['secrets', 'set', '--help'], environment);
  const helped = await loadedModules(['help', 'secrets'], environment);
  expect(asked.stdout).toContain('--allow-empty');
  expect(helped.stdout).toContain('unset [options] <keys...>');
  for (const { own, packages } of [asked, helped]) {
    expect(packages).toEqual(['commander']);
    expect(own.filter((path) => path.startsWith('cli/commands/'))).toEqual(['cli/commands/secrets']);
  }
});
