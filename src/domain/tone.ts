/** How good or bad a state is, the same on the pages and in the terminal. Pure. */
export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'idle';

const tones: Readonly<Record<string, Tone>> = {
  valid: 'ok',
  succeeded: 'ok',
  synced: 'ok',
  pass: 'ok',
  active: 'ok',
  none: 'ok',
  degraded: 'warn',
  partial: 'warn',
  warn: 'warn',
  drifted: 'warn',
  conflict: 'warn',
  retiring: 'warn',
  abandoned: 'warn',
  cancelled: 'warn',
  invalid: 'bad',
  failed: 'bad',
  silent: 'bad',
  'left-behind': 'warn',
  blocked: 'bad',
  fail: 'bad',
  running: 'busy',
  writing: 'busy',
  continued: 'busy',
};

export function toneOf(status: string): Tone {
  return tones[status] ?? 'idle';
}
