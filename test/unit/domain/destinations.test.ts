/** What every record of a destination promises, run through one table. */
import { describe, expect, it } from 'vitest';

import { quotaGroupOf } from '../../../src/domain/call-budget.ts';
import type { KindId } from '../../../src/domain/destinations/names.ts';
import {
  type AnyKind,
  type DestinationConfig,
  kindOf,
  kindOfEntry,
  kindOfScope,
  kinds,
  kindsOf,
} from '../../../src/domain/destinations/registry.ts';
import { accountWideActions, unprobeableActions } from '../../../src/domain/policy/actions.ts';
import { policyFor } from '../../../src/domain/policy/policies.ts';

const region = 'eu-west-1';
const configs: { readonly [Id in KindId]: DestinationConfig } = {
  'parameter-store': { region, path: '/app/' },
  'secrets-manager': { region, mappingBehavior: 'one-to-one', prefix: 'app/' },
  'json-secret': { region, mappingBehavior: 'many-to-one', secretName: 'app' },
};
const table = Object.values<AnyKind>(kinds).map((kind) => [kind.id, kind, configs[kind.id]] as const);
const place = { partition: 'aws', accountId: '111122223333', region };

describe.each(table)('%s', (id, kind, config) => {
  const { required, optional, probed, promoting } = kind.actions;
  const actions = [...required, ...Object.keys(optional)];

  it('is found by its config, its entries and its scopes', () => {
    expect(kind.config.parse(config)).toEqual(config);
    expect(kindOf({ destination: kind.destination, destinationConfig: config }).id).toBe(id);
    expect(kindOfEntry(kind.service.name, { isMember: kind.holdsAllKeys }).id).toBe(id);
    expect(kindOfScope(kind.scope(kind.namePrefix(config), { region })).id).toBe(id);
  });

  it('refuses a field that it does not have', () => {
    expect(kind.config.safeParse({ ...config, shelf: 'x' }).success).toBe(false);
  });

  it('names everything after one field of its config', () => {
    const { field } = kind.nameField;
    expect(config).toMatchObject({ [field]: kind.namePrefix(config) });
    expect(kind.describe(config)).toContain(kind.namePrefix(config));
    expect(kind.describeScope(kind.scope(kind.namePrefix(config), { region }))).toContain(region);
  });

  it('asks for actions of its service, each once and with a known rate', () => {
    expect(new Set(actions).size).toBe(actions.length);
    for (const action of actions) {
      expect(action.startsWith(`${kind.service.name}:`)).toBe(true);
      const operation = action.replace(':', '.');
      const isUnbudgeted = kind.service.unbudgeted.includes(operation);
      const group = kind.service.quotas.find(([, operations]) => operations.includes(operation))?.[0];
      expect(quotaGroupOf(operation)).toEqual(isUnbudgeted ? undefined : group);
      expect(isUnbudgeted || group !== undefined).toBe(true);
    }
  });

  it('probes at most six of its actions, none of which makes anything', () => {
    expect(probed.length).toBeLessThanOrEqual(6);
    expect(probed.filter((action) => !actions.includes(action) || unprobeableActions.has(action))).toEqual([]);
    expect(promoting.filter((action) => !probed.includes(action))).toEqual([]);
  });

  it('is granted all actions, and only those without resources on everything', () => {
    const policy = policyFor(kind.scope(kind.namePrefix(config), { region }), place);
    const granted = policy.Statement.flatMap((one) => [one.Action ?? []].flat());
    expect([...granted].sort()).toEqual([...actions].sort());
    const wide = policy.Statement.filter((one) => one.Resource === '*').flatMap((one) => [one.Action ?? []].flat());
    expect(wide.filter((action) => !accountWideActions.has(action))).toEqual([]);
  });

  it('refuses names that its service refuses, and no usual one', () => {
    expect(kind.findNameProblem('name with spaces', place as never)?.code).toBe('SYNC_ENTRY_INVALID');
    expect(kind.findNameProblem(`${kind.namePrefix(config)}KEY`, place as never)).toBeUndefined();
  });
});

it('has one kind of each destination that needs no option of its own', () => {
  for (const [, kind] of table) {
    const implied = kindsOf(kind.destination).filter(({ policyOption }) => policyOption.fallback !== undefined);
    expect(implied).toHaveLength(1);
  }
});
