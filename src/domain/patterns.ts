/**
 * Patterns of names, as `--include` and `--exclude` take them: `*` stands for any characters but
 * `/`, `**` for any, `?` for one that is no `/`. A pattern without a slash is compared with the key
 * alone, any other with the path and the key. Takes at most the product of both lengths, whatever a
 * pattern says. Pure.
 */
import { z } from 'zod';

import { parseSourceKey, pathOfSourceKey } from './source-key.ts';

/** Together they bound what a hostile list costs with each name. */
const MAX_PATTERNS = 20;
const MAX_LENGTH = 128;

export const patternsShape = z
  .array(
    z
      .string()
      .max(MAX_LENGTH)
      .regex(/^\/?[\w.*?-][\w./*?-]*$/, 'must be a pattern such as DB_*, api/** or **/internal/*')
      .transform((pattern) => pattern.replace(/^\//, '')),
  )
  .min(1)
  .max(MAX_PATTERNS);

export interface Selection {
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
}

/**
 * Whether a sync takes this secret: one of `include` must fit, where there are any, and none of
 * `exclude`.
 */
export function isSelected({ include, exclude }: Selection, sourceKey: string): boolean {
  if (include === undefined && exclude === undefined) return true;
  const fits = (pattern: string) => isMatch(pattern, sourceKey);
  return (include === undefined || include.some(fits)) && exclude?.some(fits) !== true;
}

function isMatch(pattern: string, sourceKey: string): boolean {
  const name = pattern.includes('/') ? pathOfSourceKey(sourceKey) : parseSourceKey(sourceKey).key;
  return matches(pattern, name);
}

type Token =
  /** `*`, `**`, and `?`. */
  | { readonly kind: 'star' | 'stars' | 'any' }
  /** `**` between two slashes: any number of levels, or none. */
  | { readonly kind: 'levels' }
  | { readonly kind: 'text'; readonly text: string };

const wildcards: Readonly<Record<string, Token>> = {
  '*': { kind: 'star' },
  '**': { kind: 'stars' },
  '**/': { kind: 'levels' },
  '?': { kind: 'any' },
};

function tokensOf(pattern: string): readonly Token[] {
  const parts = pattern.match(/(?<=^|\/)\*\*\/|\*\*|\*|\?|[^*?]/g) ?? [];
  return parts.map((part) => wildcards[part] ?? { kind: 'text', text: part });
}

/** Tracks every position in the pattern that the text can have reached, character by character. */
export function matches(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  let places = new Uint8Array(tokens.length + 1);
  arrive(tokens, places, 0);
  for (const letter of text) {
    const next = new Uint8Array(tokens.length + 1);
    tokens.forEach((token, at) => {
      if (places[at] === 1) step(token, letter, { tokens, next, at });
    });
    places = next;
  }
  return places[tokens.length] === 1;
}

/** A wildcard may match nothing. */
function arrive(tokens: readonly Token[], places: Uint8Array, from: number): void {
  let at = from;
  places[at] = 1;
  while (isSkippable(tokens[at])) {
    at += 1;
    places[at] = 1;
  }
}

function isSkippable(token: Token | undefined): boolean {
  return token !== undefined && token.kind !== 'text' && token.kind !== 'any';
}

interface Step {
  readonly tokens: readonly Token[];
  readonly next: Uint8Array;
  readonly at: number;
}

function step(token: Token, letter: string, { tokens, next, at }: Step): void {
  const isSlash = letter === '/';
  switch (token.kind) {
    case 'text':
      if (token.text === letter) arrive(tokens, next, at + 1);
      return;
    case 'any':
      if (!isSlash) arrive(tokens, next, at + 1);
      return;
    case 'star':
      if (!isSlash) arrive(tokens, next, at);
      return;
    case 'stars':
      arrive(tokens, next, at);
      return;
    case 'levels':
      // In the middle of a level, only its end continues the match.
      next[at] = 1;
      if (isSlash) arrive(tokens, next, at + 1);
  }
}
