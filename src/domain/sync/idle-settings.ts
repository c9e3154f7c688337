/**
 * Settings of a sync that do nothing at a destination, by the kind of object there: refused by name
 * in place of being ignored. Pure.
 */
import type { AnyKind } from '../destinations/registry.ts';

interface Conditional {
  readonly field: string;
  isUsedBy(kind: AnyKind): boolean;
  /** Why it is not. */
  reason(kind: AnyKind): string;
}

const conditionals = [
  {
    field: 'destinationConfig.mappingBehavior',
    isUsedBy: (kind) => kind.mapping !== undefined,
    reason: ({ noun }) => `a ${noun} holds one key`,
  },
  {
    field: 'destinationConfig.prefix',
    isUsedBy: (kind) => kind.nameField.option === 'prefix',
    reason: ({ noun }) => `one ${noun} holds all keys`,
  },
  {
    field: 'destinationConfig.secretName',
    isUsedBy: (kind) => kind.nameField.option === 'secretName',
    reason: ({ noun }) => `each key is a ${noun} of its own`,
  },
  {
    field: 'syncOptions.tier',
    isUsedBy: ({ settings }) => settings.hasTier,
    reason: ({ noun }) => `a ${noun} has no tier`,
  },
  {
    field: 'syncOptions.recoveryDays',
    isUsedBy: ({ service }) => service.canRestore,
    reason: ({ noun }) => `a ${noun} is deleted at once`,
  },
  {
    field: 'syncOptions.syncSecretMetadataAsTags',
    isUsedBy: ({ settings }) => settings.hasMetadataTags,
    reason: ({ noun }) => `one ${noun} holds all keys`,
  },
  {
    field: 'syncOptions.replicaRegions',
    isUsedBy: ({ settings }) => settings.hasReplicas,
    reason: ({ noun }) => `a ${noun} has no replicas`,
  },
  {
    field: 'syncOptions.replicaKeys',
    isUsedBy: ({ settings }) => settings.hasReplicas,
    reason: ({ noun }) => `a ${noun} has no replicas`,
  },
] as const satisfies readonly Conditional[];

export type ConditionalField = (typeof conditionals)[number]['field'];

/** One problem for each, with its field first. */
export function idleSettings(kind: AnyKind, given: ReadonlySet<ConditionalField>): readonly string[] {
  return conditionals
    .filter(({ field, isUsedBy }) => given.has(field) && !isUsedBy(kind))
    .map(({ field, reason }) => `${field} has no effect: ${reason(kind)}`);
}
