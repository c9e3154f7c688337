/** Pages of secrets. */
import { AwsError } from '../aws-error.ts';

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

/** The positions of `source` rise; a token names the last position that was shown. */
export function takePage<T>(request: PageRequest, source: readonly (readonly [number, T])[]): Page<T> {
  const { kind, input } = request;
  const after = input.NextToken === undefined ? 0 : readToken(kind, input.NextToken);
  const size = input.MaxResults ?? request.defaultSize;
  const start = source.findIndex(([position]) => position > after);
  if (start === -1) return { items: [], NextToken: undefined };
  const page = source.slice(start, start + size);
  const last = page.at(-1)?.[0] ?? after;
  const hasMore = start + size < source.length;
  const NextToken = hasMore ? Buffer.from(`sandbox/${kind}/${last}`).toString('base64') : undefined;
  return { items: page.map(([, item]) => item), NextToken };
}

function readToken(kind: string, token: string): number {
  const [, tokenKind, after] = /^sandbox\/([^/]+)\/(\d+)$/.exec(Buffer.from(token, 'base64').toString()) ?? [];
  if (tokenKind !== kind) throw new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
  return Number(after);
}
