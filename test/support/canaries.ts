/**
 * Values that must never leave the process again, and the search for them in every encoding. What
 * is searched is counted for the sum of `npm run test:secrecy`.
 */
import { expect } from 'vitest';
import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Of this test. */
    secrecy?: { readonly canaries: number; readonly places: number; readonly hits: number };
  }
}

export interface Place {
  readonly name: string;
  readonly text: string;
}

/**
 * Every form in which it could leak: plain, as bytes, escaped, percent-encoded, in hex, and inside
 * a longer text in base64, which begins at any of three offsets.
 */
export function encodings(canary: string): readonly string[] {
  const inBase64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(`${'x'.repeat(offset)}${canary}`)
      .toString('base64')
      .replace(/=+$/, '');
    // The first and the last letters also depend on the neighbours.
    return encoded.slice(offset === 0 ? 0 : 4, -1);
  });
  const forms = [
    canary,
    // What reads bytes one by one makes of it.
    Buffer.from(canary).toString('latin1'),
    JSON.stringify(canary).slice(1, -1),
    encodeURIComponent(canary),
    Buffer.from(canary).toString('hex'),
    ...inBase64,
    ...inBase64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
  return [...new Set(forms)];
}

/** Where which canary was found, as `NAME: canary 2`; canaries are not repeated in a failure. */
export function findCanaries(canaries: readonly string[], places: readonly Place[]): readonly string[] {
  const wanted = canaries.map((canary) => encodings(canary).map((form) => form.toLowerCase()));
  return places.flatMap(({ name, text }) => {
    const lower = text.toLowerCase();
    return wanted.flatMap((forms, index) =>
      forms.some((form) => lower.includes(form)) ? [`${name}: canary ${String(index)}`] : [],
    );
  });
}

/** Fails when a canary is in a place. */
export function expectNoCanary(task: TestContext['task'], canaries: readonly string[], places: readonly Place[]): void {
  const hits = findCanaries(canaries, places);
  task.meta.secrecy = { canaries: canaries.length, places: places.length, hits: hits.length };
  expect(hits).toEqual([]);
}
