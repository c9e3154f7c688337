/**
 * Pages of parameters, in order of creation. Listings are best effort, as in AWS: a page may hold
 * fewer items than asked for, or none, and still have a next one.
 */
import { AwsError } from '../aws-error.ts';
import type { Call } from '../service.ts';

export interface PageInput {
  readonly MaxResults?: number;
  readonly NextToken?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly NextToken: string | undefined;
}

/** One kind of listing; its tokens are not good for another. */
export interface PageRequest {
  readonly kind: string;
  readonly input: PageInput;
  readonly defaultSize: number;
}

/** `source` yields everything that the listing examines, with undefined for what does not match. */
export function takePage<T>(
  call: Call,
  request: PageRequest,
  source: Iterable<readonly [number, T | undefined]>,
): Page<T> {
  const { kind, input } = request;
  const size = input.MaxResults ?? request.defaultSize;
  const after = input.NextToken === undefined || input.NextToken === '' ? 0 : readToken(kind, input.NextToken);
  if (call.random.next() < call.timing.emptyPageProbability) return { items: [], NextToken: toToken(kind, after) };
  const items: T[] = [];
  const scanLimit = call.timing.pageScanLimit === 0 ? Infinity : call.timing.pageScanLimit;
  let last = after;
  let examined = 0;
  for (const [sequence, item] of source) {
    if (sequence <= after) continue;
    const isFull = items.length === size && item !== undefined;
    if (isFull || examined === scanLimit) return { items, NextToken: toToken(kind, last) };
    if (item !== undefined) items.push(item);
    examined += 1;
    last = sequence;
  }
  return { items, NextToken: undefined };
}

function toToken(kind: string, after: number): string {
  return Buffer.from(`sandbox/${kind}/${String(after)}`).toString('base64');
}

function readToken(kind: string, token: string): number {
  const [, tokenKind, after] = /^sandbox\/([^/]+)\/(\d+)$/.exec(Buffer.from(token, 'base64').toString()) ?? [];
  if (tokenKind !== kind) throw new AwsError('InvalidNextToken', "The specified token isn't valid.");
  return Number(after);
}
