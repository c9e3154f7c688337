import { describe, expect, it } from 'vitest';

import { deletionBy } from '../../../src/cli/commands/sync-update-deletions.ts';
import type { Sync } from '../../../src/client/types/sync.ts';

import { findIdleOptions } from '../../../src/cli/commands/sync-settings.ts';

describe('options that do nothing at a destination', () => {
  it.each([
    ['syncOptions.tier', { tier: 'standard' }, 'aws-secrets-manager', undefined],
    ['syncOptions.recoveryDays', { recoveryDays: '7' }, 'aws-parameter-store', undefined],
    ['syncOptions.replicaRegions', { replicaRegion: ['us-east-1'] }, 'aws-parameter-store', undefined],
    ['destinationConfig.mappingBehavior', { mapping: 'one-to-one' }, 'aws-parameter-store', 'one-to-one'],
    ['destinationConfig.secretName', { secretName: 'all' }, 'aws-parameter-store', undefined],
    ['destinationConfig.secretName', { secretName: 'all' }, 'aws-secrets-manager', 'one-to-one'],
    ['destinationConfig.prefix', { prefix: 'app/' }, 'aws-secrets-manager', 'many-to-one'],
    ['syncOptions.syncSecretMetadataAsTags', { metadataAsTags: true }, 'aws-secrets-manager', 'many-to-one'],
  ] as const)('%s of %o are found for %s', (field, options, destination, mapping) => {
    const [found = ''] = findIdleOptions(destination, mapping, options);
    expect(found).toMatch(new RegExp(`^${field} has no effect: `));
  });

  it('are found all at once; those that work are not', () => {
    const both = { tier: 'standard', secretName: 'all' };
    expect(findIdleOptions('aws-secrets-manager', undefined, both)).toHaveLength(2);
    const json = { mapping: 'many-to-one', secretName: 'all', recoveryDays: 'force' };
    expect(findIdleOptions('aws-secrets-manager', 'many-to-one', json)).toEqual([]);
    const parameters = { prefix: '/app/', tier: 'advanced', metadataAsTags: true };
    expect(findIdleOptions('aws-parameter-store', undefined, parameters)).toEqual([]);
  });
});

describe('a change of a sync on a terminal', () => {
  const before = {
    name: 'api',
    destination: 'aws-parameter-store',
    destinationConfig: { region: 'eu-west-1', path: '/shop/' },
    syncOptions: { disableSecretDeletion: false },
    connectionId: 'c1',
    connectionName: 'prod',
  } as unknown as Sync;
  const moved = { ...before, destinationConfig: { region: 'eu-west-1', path: '/new/' } };

  it('says which objects go', () => {
    expect(deletionBy({ prefix: '/new/' }, before, moved)).toMatch(
      /^api moves from .*\/shop\/.* to .*\/new\/.* deleted/,
    );
    expect(deletionBy({ connection: 'other' }, before, before)).toContain('the account of other');
    expect(deletionBy({ keySchema: 'A_{{secretKey}}' }, before, before)).toContain('names at AWS');
    expect(deletionBy({ exclude: ['A'] }, before, before)).toContain('leave out');
    expect(deletionBy({ delete: true }, before, before)).toContain('gone from the folder');
  });

  it('asks nothing where nothing goes', () => {
    const kept = { ...before, syncOptions: { ...before.syncOptions, disableSecretDeletion: true } };
    for (const [options, from, to] of [
      [{ drift: 'repair' }, before, before],
      [{ prefix: '/shop/', connection: 'prod' }, before, before],
      [{ prefix: '/new/' }, kept, moved],
    ] as const)
      expect(deletionBy(options, from, to)).toBeUndefined();
  });
});
