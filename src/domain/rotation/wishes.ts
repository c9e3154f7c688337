/** What requests for a rotation ask, merged into one wish and one command. */
import { z } from 'zod';

/**
 * What a request for a rotation may ask; other fields are ignored, since outside jobs carry theirs
 * in the same row.
 */
const rotateRequest = z.object({
  emergency: z.boolean().default(false),
  revokeNow: z.boolean().default(false),
  skipSync: z.array(z.string()).default([]),
  /** `inspect` only waits for the first listing of the user's keys. */
  command: z.enum(['cancel', 'reactivate', 'revoke', 'inspect']).optional(),
});

export interface OpenRequest {
  readonly id: string;
  readonly actor: string | null;
  readonly parameters: unknown;
}

export type Command = 'cancel' | 'reactivate' | 'revoke';

/** Open requests for a rotation, merged. */
export interface Wish {
  readonly requestIds: readonly string[];
  readonly actor: string | undefined;
  readonly isEmergency: boolean;
  readonly isRevokeNow: boolean;
  readonly skipSyncs: readonly string[];
}

type AskedWish = OpenRequest & { readonly asks: z.infer<typeof rotateRequest> };

export interface RequestedRotation {
  readonly wish: Wish | undefined;
  readonly command:
    | {
        readonly command: Command;
        readonly requestIds: readonly string[];
        /** Wishes that are older than the command. */
        readonly olderWishes: readonly string[];
      }
    | undefined;
}

/**
 * What is asked for and was not acted on yet, from the oldest to the newest. A command goes before
 * a wish, and the last command wins. An `overruled` wish is one for a rotation without hurry.
 */
export function readRequests(
  requests: readonly OpenRequest[],
  {
    served,
    cycle,
  }: {
    readonly served: readonly string[];
    readonly cycle?: { readonly overruled?: readonly string[] | undefined } | undefined;
  },
): RequestedRotation {
  const open = requests
    .filter((request) => !served.includes(request.id))
    .map((request) => ({ ...request, asks: readParameters(request.parameters) }));
  const wishes = open.filter((request) => request.asks.command === undefined);
  const commands = open.flatMap(({ id, asks }) => (isCommand(asks.command) ? [{ id, command: asks.command }] : []));
  const last = commands.at(-1);
  const older = open.slice(
    0,
    Math.max(
      0,
      open.findIndex((request) => request.id === last?.id),
    ),
  );
  const olderWishes = older.flatMap(({ id, asks }) => (asks.command === undefined ? [id] : []));
  return {
    wish: wishes.length === 0 ? undefined : mergeWishes(wishes, cycle?.overruled ?? []),
    command: last && { command: last.command, requestIds: commands.map((command) => command.id), olderWishes },
  };
}

/**
 * Unreadable parameters ask for nothing special; destructive wishes are written by keyferry itself.
 */
function readParameters(parameters: unknown): z.infer<typeof rotateRequest> {
  const read = rotateRequest.safeParse(parameters);
  return read.success ? read.data : rotateRequest.parse({});
}

function isCommand(text: string | undefined): text is Command {
  return text === 'cancel' || text === 'reactivate' || text === 'revoke';
}

function mergeWishes(wishes: readonly AskedWish[], overruled: readonly string[]): Wish {
  const urgent = wishes.filter((wish) => !overruled.includes(wish.id));
  return {
    requestIds: wishes.map((wish) => wish.id),
    actor: wishes.at(-1)?.actor ?? undefined,
    isEmergency: urgent.some((wish) => wish.asks.emergency || wish.asks.revokeNow),
    isRevokeNow: urgent.some((wish) => wish.asks.revokeNow),
    skipSyncs: [...new Set(wishes.flatMap((wish) => wish.asks.skipSync))],
  };
}
