/**
 * What a service is to the model: a table of operations. An operation says which access it needs
 * and what it does; the dispatcher (`dispatch.ts`) does everything that all operations share:
 * signature, quota, field rules, permissions, faults.
 */
import type { SandboxBehaviour } from './behaviour.ts';
import type { Principal } from './principal.ts';
import type { SandboxRandom } from './random.ts';
import type { Partition } from './regions.ts';
import type { Account, RegionState, World } from './state.ts';
import type { SandboxTiming } from './timing.ts';

export const SERVICE_NAMES = ['sts', 'iam', 'ssm', 'secretsmanager', 'kms'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** One accepted request: who, where, when. */
export interface Call {
  readonly world: World;
  readonly timing: SandboxTiming;
  readonly behaviour: SandboxBehaviour;
  readonly random: SandboxRandom;
  readonly principal: Principal;
  /** The caller's account: where regional resources live and what quotas are charged to. */
  readonly account: Account;
  readonly partition: Partition;
  readonly region: string;
  /** Milliseconds since the epoch, on the sandbox's clock. */
  readonly now: number;
  readonly regionState: RegionState;
}

/** Something the caller must be allowed to do, besides being who it is. */
export interface AccessNeed {
  readonly action: string;
  readonly resource: string;
  /** Values of context keys, by lower-case name. */
  readonly context?: Readonly<Record<string, readonly string[] | undefined>>;
  /** How the refusal names the resource, where that differs from the ARN. */
  readonly shownAs?: string;
}

export interface Operation {
  access(call: Call, input: never): readonly AccessNeed[];
  run(call: Call, input: never): object;
  /** Two calls with the same key may not overlap (TooManyUpdates). */
  exclusive?(input: never): string;
}

export type OperationTable = Readonly<Record<string, Operation>>;

export function defineOperation<Input>(operation: {
  access(call: Call, input: Input): readonly AccessNeed[];
  run(call: Call, input: Input): object;
  exclusive?(input: Input): string;
}): Operation {
  // The input was checked against the service's constraint table before it gets here, which is what
  // makes the cast true.
  return operation;
}
