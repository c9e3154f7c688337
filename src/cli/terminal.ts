/** Whether the command runs at a terminal with a person, or in a pipe. */
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ReadStream } from 'node:tty';

import { processEnvironment } from '../config/environment.ts';

export interface Terminal {
  /** A person can answer a question: input and messages are both on a terminal. */
  readonly canAsk: boolean;
  /** Messages go to a terminal, where a line can be written over. */
  readonly canRedraw: boolean;
  /** Returns the answer as it was typed. */
  ask(question: string): Promise<string>;
  write(text: string): void;
}

export function createTerminal(): Terminal {
  const { stdin, stderr } = process;
  return {
    canAsk: stdin.isTTY && stderr.isTTY,
    canRedraw: stderr.isTTY && processEnvironment().TERM !== 'dumb',
    async ask(question) {
      // Input that was typed has ended with Ctrl-D; the terminal stays open.
      const again = stdin.readableEnded ? new ReadStream(openSync('/dev/tty', 'r')) : undefined;
      const prompt = createInterface({ input: again ?? stdin, output: stderr });
      try {
        return await prompt.question(question);
      } finally {
        prompt.close();
        again?.destroy();
      }
    },
    write: (text) => void stderr.write(text),
  };
}
