/** How far a run has come, and what that says about its end. Pure. */
import { isUnderWay, type RunKind, type RunProgress, type RunStatus } from './run.ts';
import { formatSpan } from './span.ts';

/** Before that a rate says nothing. */
const MIN_SECONDS = 3;

/** `started`: what was done when the measuring began, usually nothing. */
export function measureProgress(
  counts: { readonly done: number; readonly total: number },
  elapsedMs: number,
): RunProgress {
  const { total } = counts;
  const done = Math.min(counts.done, total);
  const seconds = elapsedMs / 1_000;
  if (done === 0 || seconds < MIN_SECONDS) return { done, total, perSecond: null, secondsLeft: null };
  const rate = done / seconds;
  return { done, total, perSecond: Math.round(rate * 10) / 10, secondsLeft: Math.ceil((total - done) / rate) };
}

/** The last note may be slightly old when a run ends. */
export function finalProgress(
  run: { readonly status: RunStatus; readonly kind: RunKind },
  progress: RunProgress | null,
): RunProgress | null {
  if (progress === null || isUnderWay(run)) return progress;
  return { ...progress, done: run.status === 'succeeded' ? progress.total : progress.done, secondsLeft: null };
}

/** `812 of 2,000 written, 31 a second, about 38 s left`. */
export function describeProgress({ done, total, perSecond, secondsLeft }: RunProgress): string {
  const rate = perSecond === null ? '' : `, ${perSecond.toLocaleString('en-US')} a second`;
  const left = secondsLeft === null || secondsLeft === 0 ? '' : `, about ${formatSpan(secondsLeft)} left`;
  return `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} written${rate}${left}`;
}
