/**
 * `keyferry sync create --preview`: the plan of a sync that has written nothing yet, and whether to
 * start it.
 */
import { done, type ClientInvocation } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { describePlan, describeRun, type PlanDocument } from '../reports.ts';
import { describeSync } from '../sync-report.ts';
import { createTerminal, type Terminal } from '../terminal.ts';
import { waitForRun } from '../waiting.ts';
import { hintsOf } from './sync-lifetime.ts';
import type { Sync } from '../../client/types/sync.ts';

/** The sync is paused; it stays so unless the person at the terminal says yes. */
export async function previewFirstRun(
  invocation: ClientInvocation,
  created: Sync,
  terminal: Terminal = createTerminal(),
): Promise<ExitCode> {
  const { client, output } = invocation;
  const { name } = created;
  const run = await waitForRun(invocation, await client.syncs.request('plan', created.id), hintsOf(name));
  if (run.result === null) {
    output.result(
      { sync: created, plan: null, run },
      () => `${describeRun(run, { kind: 'sync', name })}\n\n${whatNext(name)}`,
    );
    return exitCodes.failed;
  }
  const plan = run.result as PlanDocument;
  if (output.isJson) {
    output.result({ sync: created, plan }, () => '');
    return done;
  }
  output.result(plan, () => describePlan(plan, { kind: 'sync', name }));
  if (!terminal.canAsk || !(await isWanted(terminal))) {
    output.note(whatNext(name));
    return done;
  }
  const sync = await client.syncs.resume(created.id);
  output.result(sync, () => `\n${describeSync(sync)}`);
  return done;
}

async function isWanted(terminal: Terminal): Promise<boolean> {
  const answer = await terminal.ask('Nothing is written yet. Start this sync? [y/N] ');
  return /^y(es)?$/i.test(answer.trim());
}

const whatNext = (name: string): string =>
  `Nothing is written: ${name} is paused. Start it with \`keyferry sync resume ${name}\`, or delete it with \`keyferry sync delete ${name}\`.`;
