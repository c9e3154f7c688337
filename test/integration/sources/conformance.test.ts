/** What every kind of source keeps. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { fakeKinds, type FakeSource } from './fake-sources.ts';
import { codeOf, createSourceWorld, type SourceWorld } from './world.ts';

const stage = useStage();

describe.each(Object.entries(fakeKinds))('a source of kind %s', (_kind, { open, settings }) => {
  let fake: FakeSource;
  let world: SourceWorld;
  beforeEach(async () => {
    fake = await open();
    world = await createSourceWorld(stage);
    fake.values = { DB_URL: 'postgres://db', TOKEN: 'canary-value' };
    await world.set(settings(fake.server.url));
  });
  afterEach(() => fake.server.close());

  test('fills the folder in one revision', async () => {
    const before = await world.revision();
    expect(codeOf(await world.pull())).toBe('succeeded');
    expect(await world.values()).toEqual(fake.values);
    expect(await world.revision()).toBe(before + 1);
  });

  test('follows changes and deletions', async () => {
    await world.pull();
    fake.values = { DB_URL: 'postgres://other', NEW: 'new' };
    expect(codeOf(await world.pull())).toBe('succeeded');
    expect(await world.values()).toEqual(fake.values);
  });

  test('costs one request and no revision while nothing is new', async () => {
    await world.pull();
    const [revision, requests] = [await world.revision(), fake.server.requests.length];
    expect(codeOf(await world.pull())).toBe('succeeded');
    expect(fake.server.requests.slice(requests)).toHaveLength(1);
    expect(fake.server.requests.at(-1)?.headers['if-none-match']).toMatch(/^W\//);
    expect(await world.revision()).toBe(revision);
  });

  test.each(['error', 'denied', 'cut', 'nonsense', 'large', 'redirect'] as const)(
    'keeps all secrets after a bad answer: %s',
    async (fault) => {
      await world.pull();
      const [values, revision] = [await world.values(), await world.revision()];
      fake.faults = [fault];
      fake.values = {};
      const outcome = await world.pull();
      const codes = { error: 'SOURCE_UNAVAILABLE', cut: 'SOURCE_UNAVAILABLE', denied: 'SOURCE_DENIED' };
      const refused = { redirect: 'SOURCE_DENIED', nonsense: 'SOURCE_ANSWER_REFUSED', large: 'SOURCE_ANSWER_REFUSED' };
      expect(codeOf(outcome)).toBe({ ...codes, ...refused }[fault]);
      expect([await world.values(), await world.revision()]).toEqual([values, revision]);
      expect(JSON.stringify(await world.source())).not.toContain('canary');
    },
  );

  test('deletes nothing after an empty answer, unless that is confirmed', async () => {
    await world.pull();
    fake.values = {};
    expect(codeOf(await world.pull())).toBe('SOURCE_DELETIONS_UNCONFIRMED');
    expect(codeOf(await world.pull(1))).toBe('SOURCE_DELETIONS_UNCONFIRMED');
    expect(Object.keys(await world.values())).toHaveLength(2);
    expect(codeOf(await world.pull(2))).toBe('succeeded');
    expect(await world.values()).toEqual({});
  });

  test('is denied with other credentials, which nothing shows', async () => {
    await world.set(settings(fake.server.url, 'canary-wrong'));
    expect(codeOf(await world.pull())).toBe('SOURCE_DENIED');
    expect(JSON.stringify(await world.source())).not.toContain('canary');
  });

  test('refuses names that cannot be stored, as a whole', async () => {
    fake.values = { GOOD: 'a', 'not a name': 'b' };
    const outcome = await world.pull();
    expect(codeOf(outcome)).toBe('SOURCE_ANSWER_REFUSED');
    expect((await world.source()).statusMessage).toContain('"not a name"');
    expect(await world.values()).toEqual({});
  });
});
