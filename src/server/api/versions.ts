/**
 * `ETag` and `If-Match`: the version of what is read, and the version that a change was made from.
 */
import type { Context } from 'hono';
import type { UpdateOptions } from '../../client/types/subject.ts';

const TAGGED = ['appConnection', 'secretSync', 'secretRotation', 'folder'] as const;

export function tagVersion(c: Context, version: number): void {
  c.header('ETag', `"${String(version)}"`);
}

/** The tag of the first answer, by the object in its body; nothing else of the answer is kept. */
export function tagReplay(c: Context, response: string): void {
  const isOrder = c.req.method === 'POST' && Object.keys(c.req.param()).length > 0;
  if (isOrder || c.req.method === 'DELETE') return;
  const parts = JSON.parse(response) as Readonly<Record<string, { version?: unknown; revision?: unknown } | undefined>>;
  const [version] = TAGGED.flatMap((name) => parts[name]?.version ?? parts[name]?.revision ?? []);
  if (typeof version === 'number') tagVersion(c, version);
}

/**
 * Undefined without the header, or with `*`. A tag that keyferry did not issue matches no version.
 */
export function versionsOf(c: Context): readonly number[] | undefined {
  const header = c.req.header('if-match')?.trim();
  if (header === undefined || header === '*') return undefined;
  return header.split(',').flatMap((tag) => {
    const [, version] = /^"(\d{1,15})"$/.exec(tag.trim()) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
}

export function ifMatch(c: Context): UpdateOptions {
  const ifVersion = versionsOf(c);
  return ifVersion === undefined ? {} : { ifVersion };
}
