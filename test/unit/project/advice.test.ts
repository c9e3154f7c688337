/**
 * Texts of the program are read by API, library, page and command line: they name fields, and only
 * the command line turns them into its flags.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

import { errorTable } from '../../../src/errors.ts';

const ROOT = join(import.meta.dirname, '../../../src');
/** Rooms whose texts are for operators at a terminal, or are no messages. */
const OWN_WORDS = /^(cli|sandbox|config|server\/status)\//;
/** The questions of `keyferry restore accept`, which only the command line asks. */
const OF_COMMANDS = ['domain/installation.ts'];
/** Whole commands of operators that neither API nor page can replace. */
const WHOLE =
  /`keyferry (policy|keys|worker|migrate|doctor|connection update NAME --allow-missing-external-id) [^`]*`/g;
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/ .*/g;
/** Options of the command line, declared where the destination is. */
const DECLARED = /\bflags?: '--[^']*'/g;
const FLAG = /(?<![\w-])--[a-z][\w-]*/;

it('names no flag in a text that others than the command line show', () => {
  const named = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !OWN_WORDS.test(path) && !OF_COMMANDS.includes(path))
    .flatMap((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8').replace(COMMENT, '').replaceAll('\\`', '`');
      const lines = text.replace(WHOLE, '').replace(DECLARED, '').split('\n');
      return lines.filter((line) => FLAG.test(line)).map((line) => `${path}: ${line.trim()}`);
    });
  // Raised by the command line alone.
  expect(named).toEqual([expect.stringContaining('Answer y, or give --yes.')]);
  expect(errorTable.PAYLOAD_DECLINED.nextStep).toContain('--yes');
});
