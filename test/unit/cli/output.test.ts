import { describe, expect, it } from 'vitest';

import { fields, table, upcoming } from '../../../src/cli/output.ts';
import type { Screen } from '../../../src/cli/screen.ts';

const now = new Date('2026-11-26T12:00:00Z');
const pipe: Screen = { columns: undefined, hasColor: false, now: undefined };
const narrow: Screen = { columns: 60, hasColor: false, now };
const rows = [
  [
    'api',
    'partial',
    new Date('2026-11-26T11:53:00Z'),
    'The connection lacks ssm:PutParameter; nothing was written to it.',
  ],
  ['web', 'succeeded', null, ''],
] as const;
const headings = ['NAME', 'STATUS', 'SYNCED', 'MESSAGE'];

describe('a table', () => {
  it('fits the terminal: the widest column gives way, times are relative', () => {
    const lines = table(headings, rows, narrow).split('\n');
    expect(lines[2]).toBe('api   partial    7 min ago  The connection lacks ssm:PutPar…');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it('gives a pipe whole cells and absolute times', () => {
    const lines = table(headings, rows, pipe).split('\n');
    expect(lines[2]).toContain(
      '2026-11-26 11:53:00Z  The connection lacks ssm:PutParameter; nothing was written to it.',
    );
    expect(lines[3]).toBe('web   succeeded  –                     –');
  });

  it('becomes a list of facts for each row where the terminal is too narrow for whole states and times', () => {
    expect(table(headings, rows, { ...narrow, columns: 40 })).toBe(
      [
        'NAME     api',
        'STATUS   partial',
        'SYNCED   7 min ago',
        'MESSAGE  The connection lacks ssm:PutParameter; nothing was written to it.',
        '',
        'NAME     web',
        'STATUS   succeeded',
      ].join('\n'),
    );
  });

  it('colours states only, and only where colour is', () => {
    const [, , partial = '', succeeded = ''] = table(headings, rows, { ...narrow, hasColor: true }).split('\n');
    expect(partial).toContain('\u001b[33mpartial  \u001b[0m');
    expect(succeeded).toContain('\u001b[32msucceeded\u001b[0m');
    expect(partial.replaceAll(/\u001b\[\d+m/g, '')).toBe(table(headings, rows, narrow).split('\n')[2]);
  });
});

describe('a list of facts', () => {
  it('says on a terminal how long ago a time was', () => {
    const facts = [['synced', new Date('2026-11-26T11:53:00Z')]] as const;
    expect(fields(facts, narrow)).toBe('synced  2026-11-26 11:53:00Z (7 min ago)');
    expect(fields(facts, pipe)).toBe('synced  2026-11-26 11:53:00Z');
  });
});

describe('what comes next', () => {
  const at = (minutes: number) => new Date(now.getTime() + minutes * 60_000);

  it('is never in the past: what is late is due now', () => {
    expect(upcoming(at(5), { now })).toEqual(at(5));
    expect(upcoming(at(-5), { now })).toBe('now');
    expect(upcoming(null, { now })).toBeNull();
  });

  it('waits for a person while it is paused', () => {
    expect(upcoming(at(5), { now, pausedAt: at(-60) })).toBe('paused');
  });
});
