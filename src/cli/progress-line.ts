/**
 * How far a run has come: one line that is written over on a terminal, a line every ten seconds
 * elsewhere.
 */
import type { RunProgress } from '../domain/run.ts';
import { describeProgress } from '../domain/progress.ts';
import type { Output } from './output.ts';
import { createTerminal, type Terminal } from './terminal.ts';

const PLAIN_EVERY_MS = 10_000;
const BAR_WIDTH = 24;
const CLEAR_LINE = '\r\u001b[K';

export interface ProgressLine {
  show(progress: RunProgress): void;
  /** Clears the bar, so that what follows begins on a clean line. */
  end(): void;
}

export function createProgressLine(
  output: Pick<Output, 'note'>,
  { terminal = createTerminal(), nowMs = () => performance.now() }: { terminal?: Terminal; nowMs?: () => number } = {},
): ProgressLine {
  let isDrawn = false;
  let shownAtMs = -PLAIN_EVERY_MS;
  return {
    show(progress) {
      if (terminal.canRedraw) {
        isDrawn = true;
        terminal.write(`${CLEAR_LINE}${bar(progress)} ${describeProgress(progress)}`);
      } else if (nowMs() - shownAtMs >= PLAIN_EVERY_MS) {
        shownAtMs = nowMs();
        output.note(describeProgress(progress));
      }
    },
    end() {
      if (isDrawn) terminal.write(CLEAR_LINE);
      isDrawn = false;
    },
  };
}

function bar({ done, total }: RunProgress): string {
  const filled = total === 0 ? BAR_WIDTH : Math.floor((Math.min(done, total) / total) * BAR_WIDTH);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
}
