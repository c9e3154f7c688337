/** Pages of parameters, in order of creation. A page may be empty and still have a successor, as in AWS. */
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

export function takePage<T>(call: Call, request: PageRequest, source: Iterable<readonly [number, T]>): Page<T> {
  const { kind, input } = request;
  const size = input.MaxResults ?? request.defaultSize;
  const after = input.NextToken === undefined || input.NextToken === '' ? 0 : readToken(kind, input.NextToken);
  if (call.random.next() < call.timing.emptyPageProbability) return { items: [], NextToken: toToken(kind, after) };
  const items: T[] = [];
  let last = after;
  for (const [sequence, item] of source) {
    if (sequence <= after) continue;
    if (items.length === size) return { items, NextToken: toToken(kind, last) };
    items.push(item);
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
