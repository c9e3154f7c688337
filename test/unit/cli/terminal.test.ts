import { describe, expect, it } from 'vitest';

import { confirm } from '../../../src/cli/confirm.ts';
import { createProgressLine } from '../../../src/cli/progress-line.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';
import type { RunProgress } from '../../../src/domain/run.ts';

interface FakeTerminal extends Terminal {
  readonly asked: readonly string[];
  readonly written: readonly string[];
}

function terminal(answer: string, is: Partial<Terminal> = {}): FakeTerminal {
  const [asked, written]: [string[], string[]] = [[], []];
  return {
    canAsk: true,
    canRedraw: true,
    ...is,
    asked,
    written,
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answer);
    },
    write: (text) => void written.push(text),
  };
}

describe('a command that takes something away', () => {
  it.each(['y', 'Yes', ' yes '])('goes on after %j', async (answer) => {
    const person = terminal(answer);
    await confirm({ options: {} }, 'Everything is deleted.', person);
    expect(person.asked).toEqual(['Everything is deleted. Continue? [y/N] ']);
  });

  it.each(['', 'n', 'yesterday'])('does nothing after %j', async (answer) => {
    await expect(confirm({ options: {} }, 'Everything is deleted.', terminal(answer))).rejects.toMatchObject({
      code: 'PAYLOAD_DECLINED',
    });
  });

  it('asks neither a script nor who gives --yes', async () => {
    const [script, decided] = [terminal('n', { canAsk: false }), terminal('n')];
    await confirm({ options: {} }, 'Everything is deleted.', script);
    await confirm({ options: { yes: true } }, 'Everything is deleted.', decided);
    expect([...script.asked, ...decided.asked]).toEqual([]);
  });
});

describe('the progress of a run', () => {
  const progress: RunProgress = { done: 500, total: 2_000, perSecond: 31.2, secondsLeft: 48 };
  const words = '500 of 2,000 written, 31.2 a second, about 48 s left';

  it('is one line on a terminal, cleared at the end', () => {
    const screen = terminal('');
    const line = createProgressLine({ note: () => undefined }, { terminal: screen });
    line.show(progress);
    line.end();
    line.end();
    expect(screen.written).toEqual([`\r\u001b[K${'█'.repeat(6)}${'░'.repeat(18)} ${words}`, '\r\u001b[K']);
  });

  it('is a line every ten seconds elsewhere', () => {
    const notes: string[] = [];
    let nowMs = 0;
    const options = { terminal: terminal('', { canRedraw: false }), nowMs: () => nowMs };
    const line = createProgressLine({ note: (text) => notes.push(text) }, options);
    for (nowMs = 0; nowMs <= 20_000; nowMs += 2_500) line.show(progress);
    expect(notes).toEqual([words, words, words]);
  });
});
