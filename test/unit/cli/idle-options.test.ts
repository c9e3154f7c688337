import { describe, expect, it } from 'vitest';

import { refuseIdleOptions } from '../../../src/cli/idle-options.ts';

describe('options that do nothing at a destination', () => {
  it.each([
    ['--tier', { tier: 'standard' }, 'aws-secrets-manager', undefined],
    ['--recovery-days', { recoveryDays: '7' }, 'aws-parameter-store', undefined],
    ['--replica-region', { replicaRegion: ['us-east-1'] }, 'aws-parameter-store', undefined],
    ['--mapping', { mapping: 'one-to-one' }, 'aws-parameter-store', 'one-to-one'],
    ['--secret-name', { secretName: 'all' }, 'aws-parameter-store', undefined],
    ['--secret-name', { secretName: 'all' }, 'aws-secrets-manager', 'one-to-one'],
    ['--prefix', { prefix: 'app/' }, 'aws-secrets-manager', 'many-to-one'],
    ['--metadata-as-tags', { metadataAsTags: true }, 'aws-secrets-manager', 'many-to-one'],
  ] as const)('refuses %s %o for %s', (flag, options, destination, mapping) => {
    expect(() => {
      refuseIdleOptions(destination, mapping, options);
    }).toThrow(flag);
  });

  it('names all of them at once, and takes those that work', () => {
    const both = { tier: 'standard', secretName: 'all' };
    expect(() => {
      refuseIdleOptions('aws-secrets-manager', undefined, both);
    }).toThrow(/--secret-name.*--tier/);
    refuseIdleOptions('aws-secrets-manager', 'many-to-one', {
      mapping: 'many-to-one',
      secretName: 'all',
      recoveryDays: 'force',
    });
    refuseIdleOptions('aws-parameter-store', undefined, { prefix: '/app/', tier: 'advanced', metadataAsTags: true });
  });
});
