/**
 * `ETag` and `If-Match`: the version of what is read, and the version that a change was made from.
 */
import type { Context } from 'hono';
import type { UpdateOptions } from '../../client/types/subject.ts';

export function tagVersion(c: Context, version: number): void {
  c.header('ETag', `"${String(version)}"`);
}

/** Undefined without the header, or with `*`. A tag that is none of ours matches no version. */
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
