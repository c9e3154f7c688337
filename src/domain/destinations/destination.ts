/**
 * One kind of destination: everything that pure code knows about it. Code that needs a fact about a
 * destination reads it from this record and never asks which kind it is. How a kind reads and
 * writes AWS is in `workers/sync/destinations/`.
 */
import type { z } from 'zod';

import type { QuotaGroup } from '../quota-group.ts';
import type { EntrySettings, AwsLocation } from '../sync/ledger.ts';
import type { EntryProblem } from '../sync/rules.ts';
import type { DestinationName, DestinationService, KindId } from './names.ts';

export interface RegionalConfig {
  readonly region: string;
}

/** Where and with which KMS key: what every scope has besides the names. */
export interface ScopePlace {
  readonly region: string;
  readonly kmsKey?: string | undefined;
  /** KMS keys of replicas, by their region. */
  readonly replicaKeys?: Readonly<Record<string, string>> | undefined;
}

/** What a policy or a session is narrowed to. */
export interface PolicyScope extends ScopePlace {
  readonly use: string;
}

/** Facts about an AWS service, shared by the kinds that write to it. */
export interface ServiceFacts {
  readonly name: DestinationService;
  /** The `Sid` of its policy statements. */
  readonly sid: string;
  /** Operations that share a rate at AWS. */
  readonly quotas: readonly (readonly [QuotaGroup, readonly string[]])[];
  /**
   * Operations of which AWS allows thousands a second: a token for each would cost more than it
   * saves.
   */
  readonly unbudgeted: readonly string[];
  /** Actions that AWS grants only on everything. */
  readonly accountWide: readonly string[];
  /** Actions that cannot be tried without making something. */
  readonly unprobeable: readonly string[];
  /** A deleted object can be restored for some days. */
  readonly canRestore: boolean;
}

export interface KindActions {
  /** Without one of these the kind does not work. */
  readonly required: readonly string[];
  /** What each adds; without it, only that is switched off. */
  readonly optional: Readonly<Record<string, string>>;
  /** Probed before the first write of a sync: at most six. */
  readonly probed: readonly string[];
  /** With all of these a write is switched in by compare-and-swap. */
  readonly promoting: readonly string[];
}

/** Settings that only some kinds have. */
export interface KindSettings {
  readonly hasTier: boolean;
  readonly hasReplicas: boolean;
  /** Metadata of a secret can become tags of its own object. */
  readonly hasMetadataTags: boolean;
}

/** An option of the command line that names what a kind writes. */
export interface NameOption {
  readonly name: string;
  readonly flags: string;
  readonly description: string;
  /** Undefined: the option says that this kind is meant. */
  readonly fallback?: string;
}

export interface DestinationKind<Config extends RegionalConfig, S extends PolicyScope, Wide extends PolicyScope = S> {
  readonly id: KindId;
  readonly destination: DestinationName;
  /** As an operator calls one object of it. */
  readonly noun: string;
  readonly service: ServiceFacts;
  readonly config: z.ZodType<Config>;
  /** The value of `mappingBehavior`; undefined where the destination has one kind. */
  readonly mapping: string | undefined;
  /**
   * The field of the config that all names follow from, and the option of `sync create` that sets
   * it.
   */
  readonly nameField: { readonly field: string; readonly option: string; readonly flag: string };
  /** The option of `keyferry policy` for the same. */
  readonly policyOption: NameOption;
  /**
   * All keys of the folder are members of one object; otherwise each key has an object of its own.
   */
  readonly holdsAllKeys: boolean;
  /** AWS stores no empty parameter or secret; a member of a JSON secret may be empty. */
  readonly takesEmptyValues: boolean;
  /** Its listings do not return tags: a drift check samples them. */
  readonly samplesTags: boolean;
  readonly settings: KindSettings;
  readonly actions: KindActions;

  /** What every name begins with; where one object holds all keys, its whole name. */
  namePrefix(config: Config): string;
  /** Where it writes, in a word. */
  describe(config: Config): string;
  findNameProblem(name: string, place: AwsLocation): EntryProblem | undefined;
  /** `value` is not empty. No message holds it. */
  findValueProblem(value: string, settings: EntrySettings): EntryProblem | undefined;

  scope(name: string, place: ScopePlace): S;
  /** Whether a scope is of this kind. */
  isScope(scope: PolicyScope): boolean;
  /** A scope that covers all names with this beginning. */
  scopeOfPrefix(prefix: string, place: ScopePlace): Wide;
  /** ARNs of what a scope covers, from the resource on. */
  resources(scope: S): readonly string[];
  describeScope(scope: S): string;
}
