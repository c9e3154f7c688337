/** Faults by rule: what goes wrong, for which calls, how often. */
import type { SandboxRandom } from './random.ts';
import type { ServiceName } from './service.ts';

export type FaultAction =
  /** The service's throttling error. */
  | 'throttle'
  /** The connection ends before the call has any effect. */
  | 'drop-before'
  /** The call takes effect, then the connection ends. */
  | 'drop-after'
  /** A 503 with an HTML body, as a proxy would send. */
  | 'html'
  | { readonly error: { readonly code: string; readonly status?: number; readonly message?: string } }
  /** Waits (real milliseconds), then acts and answers. */
  | { readonly delayMs: number }
  /**
   * Acts, then waits before answering: longer than the client's deadline makes an ambiguous
   * outcome.
   */
  | { readonly delayAfterMs: number }
  /** Acts, then sends the body in pieces over this time (HTTP only; in process it is a delay). */
  | { readonly dripMs: number };

export interface FaultTarget {
  readonly service: ServiceName;
  readonly operation: string;
  readonly accountId: string | undefined;
  readonly principalArn: string | undefined;
  readonly accessKeyId: string;
  readonly region: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface FaultMatch {
  readonly accountId?: string;
  readonly region?: string;
  readonly principalArn?: string;
  /** Occurs in the JSON text of the call's parameters (values are not searched). */
  readonly parametersInclude?: string;
}

export interface FaultRule {
  readonly service?: ServiceName;
  readonly operation?: string;
  /** A function works in process only. */
  readonly match?: FaultMatch | ((target: FaultTarget) => boolean);
  /** Only the n-th matching call (from 1). */
  readonly nth?: number;
  /** Only this many matching calls. */
  readonly times?: number;
  /** Each matching call with this chance, from the sandbox's seed. */
  readonly probability?: number;
  readonly action: FaultAction;
}

export interface Faults {
  /**
   * Rules are asked in the order they were added; the first that applies decides. Returns a
   * function that removes it.
   */
  add(rule: FaultRule): () => void;
  clear(): void;
}

export interface FaultPicker extends Faults {
  readonly isEmpty: boolean;
  pick(target: FaultTarget): FaultAction | undefined;
}

export function createFaults(random: SandboxRandom): FaultPicker {
  let rules: { readonly rule: FaultRule; seen: number }[] = [];
  return {
    get isEmpty() {
      return rules.length === 0;
    },
    add: (rule) => {
      const entry = { rule, seen: 0 };
      rules.push(entry);
      return () => {
        rules = rules.filter((other) => other !== entry);
      };
    },
    clear: () => {
      rules = [];
    },
    pick: (target) => {
      for (const entry of rules) {
        if (!ruleMatches(entry.rule, target)) continue;
        entry.seen += 1;
        if (applies(entry.rule, entry.seen, random)) return entry.rule.action;
      }
      return undefined;
    },
  };
}

function applies(rule: FaultRule, seen: number, random: SandboxRandom): boolean {
  if (rule.nth !== undefined && seen !== rule.nth) return false;
  if (rule.times !== undefined && seen > rule.times) return false;
  return rule.probability === undefined || random.next() < rule.probability;
}

function ruleMatches(rule: FaultRule, target: FaultTarget): boolean {
  if (rule.service !== undefined && rule.service !== target.service) return false;
  if (rule.operation !== undefined && rule.operation !== target.operation) return false;
  const { match } = rule;
  if (match === undefined) return true;
  if (typeof match === 'function') return match(target);
  if (match.accountId !== undefined && match.accountId !== target.accountId) return false;
  if (match.region !== undefined && match.region !== target.region) return false;
  if (match.principalArn !== undefined && match.principalArn !== target.principalArn) return false;
  return match.parametersInclude === undefined || JSON.stringify(target.parameters).includes(match.parametersInclude);
}
