/**
 * The port of sources: how the secrets of one are read. Every kind passes
 * test/integration/sources/conformance.test.ts.
 */
import type { SourceSettings } from '../../domain/sources.ts';
import type { Ask } from './ask.ts';

export interface SourceReading {
  readonly ask: Ask;
  /** Of the last answer, where the folder still is as that answer left it. */
  readonly etag: string | null;
  readonly now: () => number;
}

/** `unchanged`: the same as at the last pull. */
export type SourceAnswer =
  | { readonly status: 'unchanged' }
  | { readonly status: 'read'; readonly values: Readonly<Record<string, string>>; readonly etag: string | null };

/**
 * Gives all secrets or throws SOURCE_UNAVAILABLE, SOURCE_DENIED, SOURCE_ANSWER_REFUSED: what a part
 * lacks would count as deleted.
 */
export type ReadSource<S extends SourceSettings> = (settings: S, reading: SourceReading) => Promise<SourceAnswer>;
