/** A proxy between a worker and the sandbox that empties the answers to one operation. */
import type { AwsSandbox } from '../../src/sandbox/aws/index.ts';

type Handle = AwsSandbox['handle'];

export interface EmptyAnswers {
  readonly wrapHandle: (handle: Handle) => Handle;
  /** `isForwarded`: AWS receives the request, and only its answer is lost. */
  empty(operation: string, options?: { readonly isForwarded: boolean }): void;
  /** How many answers were emptied. */
  readonly count: () => number;
  repair(): void;
}

export function createEmptyAnswers(): EmptyAnswers {
  let emptied: { readonly operation: string; readonly isForwarded: boolean } | undefined;
  let count = 0;
  return {
    wrapHandle: (handle) => async (request) => {
      const target = request.headers['x-amz-target'];
      const action = new URLSearchParams(Buffer.from(request.body).toString()).get('Action');
      if (emptied?.operation !== (target?.split('.')[1] ?? action)) return handle(request);
      count += 1;
      if (emptied.isForwarded) await handle(request);
      return { status: 200, headers: {}, body: Buffer.from(target === undefined ? '' : '{}') };
    },
    empty: (operation, { isForwarded } = { isForwarded: false }) => {
      emptied = { operation, isForwarded };
      count = 0;
    },
    count: () => count,
    repair: () => {
      emptied = undefined;
    },
  };
}
