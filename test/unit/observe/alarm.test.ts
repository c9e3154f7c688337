import { pino } from 'pino';
import { expect, it } from 'vitest';

import { createAlarm } from '../../../src/observe/alarm.ts';

function open() {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as never) });
  let nowMs = 0;
  const alarm = createAlarm({ log, raised: 'out', lowered: 'back', quietMs: 10_000, nowMs: () => nowMs });
  return { alarm, said: () => lines.map(({ msg }) => msg), lines, wait: (ms: number) => (nowMs += ms) };
}

it('is raised once, however many fail, and lowered once', () => {
  const { alarm, said, wait, lines } = open();
  for (let failures = 0; failures < 3; failures += 1) alarm.raise(new Error('down'));
  wait(10_000);
  alarm.lower();
  alarm.lower();
  expect(said()).toEqual(['out', 'back']);
  expect(lines[1]).toMatchObject({ level: 30, failures: 3, seconds: 10 });
});

it('stays raised while failures and successes take turns', () => {
  const { alarm, said, wait } = open();
  for (let turns = 0; turns < 5; turns += 1) {
    alarm.raise(new Error('down'));
    wait(5_000);
    alarm.lower();
  }
  expect([said(), alarm.isRaised]).toEqual([['out'], true]);
});

it('is raised again by the next outage, and never lowered before one', () => {
  const { alarm, said, wait } = open();
  alarm.lower();
  alarm.raise(new Error('down'));
  wait(10_000);
  alarm.lower();
  alarm.raise(new Error('down'));
  expect(said()).toEqual(['out', 'back', 'out']);
});
