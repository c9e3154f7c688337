/** What is in front of the command: a terminal with a person, or a pipe. */
import { createInterface } from 'node:readline/promises';

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
      const prompt = createInterface({ input: stdin, output: stderr });
      try {
        return await prompt.question(question);
      } finally {
        prompt.close();
      }
    },
    write: (text) => void stderr.write(text),
  };
}
