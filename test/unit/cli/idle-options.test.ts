import { describe, expect, it } from 'vitest';

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
