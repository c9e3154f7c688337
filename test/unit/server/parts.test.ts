import { describe, expect, it } from 'vitest';

import { formatSpan } from '../../../src/domain/span.ts';
import { formatDuration, prose, trouble, when } from '../../../src/server/status/parts.ts';
import { addressOf, parseListRequest } from '../../../src/server/status/list-query.ts';

const now = new Date('2026-03-01T12:00:00Z');
const text = (value: unknown) => String(value).replace(/\s+/g, ' ').trim();

describe('times on the status page', () => {
  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [3_600, '1 h'],
    [4_500, '1 h 15 min'],
    [3 * 3_600 + 600, '3 h'],
    [90_000, '1 d 1 h'],
    [30 * 86_400, '30 d'],
  ])('%d s are %s', (seconds, words) => {
    expect(formatSpan(seconds)).toBe(words);
  });

  it('say what is past and what is to come, with the moment itself as title', () => {
    expect(text(when(new Date('2026-03-01T11:57:00Z'), now))).toBe(
      '<time datetime="2026-03-01T11:57:00.000Z" title="2026-03-01 11:57:00 UTC">3 min ago</time>',
    );
    expect(text(when(new Date('2026-03-01T12:20:00Z'), now))).toContain('in 20 min');
    expect(text(when(null, now))).toContain('–');
    expect([formatDuration(12), formatDuration(2_340), formatDuration(125_000)]).toEqual([
      '12 ms',
      '2.3 s',
      '2 min 5 s',
    ]);
  });
});

describe('an error on the status page', () => {
  it('stands beside its fix, commands set apart', () => {
    const shown = text(trouble({ code: 'SYNC_PARTIAL', message: '2 of 25 entries were not synced.' }));
    expect(shown).toContain('<b>Fix:</b> List the entries with <code>keyferry sync show</code>.');
  });

  it('does not repeat advice that the message holds already', () => {
    expect(
      text(trouble({ code: 'SYNC_PARTIAL', message: 'List the entries with `keyferry sync show`.' })),
    ).not.toContain('Fix:');
    expect(text(trouble({ code: 'SYNC_PARTIAL', message: 'x', fix: 'Add the statement.' }))).toContain(
      'Add the statement.',
    );
  });

  it('names the object in commands, before their options', () => {
    const of = { kind: 'sync', name: 'api' } as const;
    const shown = text(trouble({ code: 'SYNC_DELETIONS_UNCONFIRMED', message: 'x', of }));
    expect(shown).toContain('<code>keyferry sync plan api</code>');
    expect(shown).toContain('then confirm the deletions on the page of the sync.');
  });

  it('escapes what it is given', () => {
    expect(text(prose('<b> `<i>`'))).toBe('&lt;b&gt; <code>&lt;i&gt;</code>');
  });
});

describe('the address of a list', () => {
  const parse = (query: Record<string, string>) =>
    parseListRequest({ path: '/syncs', statuses: ['failed'], query: (name) => query[name] });

  it('falls back to the first page and no filter', () => {
    expect(parse({ page: '-3', status: 'nonsense', q: '  ' })).toMatchObject({
      page: 1,
      offset: 0,
      status: undefined,
      search: undefined,
    });
  });

  it('keeps search and org when the page changes, and starts over when the filter does', () => {
    const request = parse({ q: 'a&b', org: 'acme', page: '3', status: 'failed' });
    expect(addressOf(request, { page: 4 })).toBe('/syncs?q=a%26b&status=failed&org=acme&page=4');
    expect(addressOf(request, { status: undefined })).toBe('/syncs?q=a%26b&org=acme');
  });
});
