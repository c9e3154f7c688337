/** What a waiting command tells the person in front of it. */
import type { WaitOptions } from '../client/waiting.ts';
import type { Invocation } from './command.ts';

export function waitOptions({ output }: Invocation): WaitOptions {
  return {
    onUntaken: () => {
      output.note('Waiting for a worker; none has taken the request yet. Start one with `keyferry worker`.');
    },
  };
}
