/**
 * Keeps a run within its prefix: every call that changes something must name an object whose name
 * begins with it, or it is not sent. Throttled calls wait and go again, since the suites count on
 * every answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Clients } from '../contract/target.ts';

/** What names of all runs begin with; each run adds random characters. */
export const FAMILY = 'keyferry-live-';

export interface Observer {
  /** A call that went out, and how it ended. */
  onCall?(call: { operation: string; input: object; output: unknown; error: Error | undefined }): void;
}

const THROTTLED = new Set(['ThrottlingException', 'Throttling', 'TooManyUpdates', 'RequestLimitExceeded']);
const MAX_REPEATS = 8;

export function guardClients(clients: Clients, prefix: string, observer: Observer): Clients {
  for (const client of Object.values(clients)) guardClient(client, prefix, observer);
  return clients;
}

interface Stack {
  add(middleware: unknown, options: { readonly step: 'initialize'; readonly name: string }): void;
}

type Next = (args: { readonly input: object }) => Promise<{ readonly output: unknown }>;

export function guardClient(client: unknown, prefix: string, observer: Observer): void {
  const { middlewareStack } = client as { readonly middlewareStack: Stack };
  const middleware =
    (next: Next, context: { readonly commandName?: string }) => async (args: { readonly input: object }) => {
      const operation = (context.commandName ?? '').replace(/Command$/, '');
      if (!isAllowed(operation, args.input, prefix)) {
        throw new Error(`${operation} was held back: it names something outside of ${prefix}`);
      }
      try {
        const answer = await repeatThrottled(() => next(args));
        observer.onCall?.({ operation, input: args.input, output: answer.output, error: undefined });
        return answer;
      } catch (error) {
        if (error instanceof Error) observer.onCall?.({ operation, input: args.input, output: undefined, error });
        throw error;
      }
    };
  middlewareStack.add(middleware, { step: 'initialize', name: 'keyferryLiveGuard' });
}

async function repeatThrottled<T>(send: () => Promise<T>): Promise<T> {
  for (let repeats = 0; ; repeats += 1) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof Error) || !THROTTLED.has(error.name) || repeats >= MAX_REPEATS) throw error;
      await sleep(250 * 2 ** repeats);
    }
  }
}

const READS = /^(Get|List|Describe|Batch|Simulate|Validate|Assume)/;
const NAMING_FIELDS = ['Name', 'Names', 'SecretId', 'ResourceId', 'UserName', 'RoleName'];

export function isAllowed(operation: string, input: object, prefix: string): boolean {
  if (READS.test(operation)) return true;
  const fields = input as Readonly<Record<string, unknown>>;
  const names = NAMING_FIELDS.flatMap((field) => [fields[field] ?? []].flat()).map(String);
  return names.length > 0 && names.every((name) => bareName(name).startsWith(prefix));
}

/** Without the ARN around it, and without the slash before it. */
function bareName(name: string): string {
  return name.replace(/^arn:[^/]*:secret:|^arn:[^/]*:parameter(?=\/)/, '').replace(/^\//, '');
}
