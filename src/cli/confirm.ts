/** Asks before a command removes something. Scripts are never asked: a pipe counts as consent. */
import type { Command } from 'commander';

import { JobError } from '../errors.ts';
import type { Options } from './command.ts';
import { createTerminal, type Terminal } from './terminal.ts';

export function withConfirmation(command: Command): Command {
  return command.option('--yes', 'do not ask on a terminal');
}

/** Throws PAYLOAD_DECLINED unless the person agrees. */
export async function confirm(
  { options }: { readonly options: Options },
  consequence: string,
  terminal: Terminal = createTerminal(),
): Promise<void> {
  if (options.yes === true || !terminal.canAsk) return;
  const answer = await terminal.ask(`${consequence} Continue? [y/N] `);
  if (/^y(es)?$/i.test(answer.trim())) return;
  throw new JobError('PAYLOAD_DECLINED');
}
