/** What does nothing at a destination, and replicas that cannot be, are refused at the edge. */
import { describe, expect, it } from 'vitest';

import { refuseUselessOptions } from '../../../src/client/sync-target.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';

const destinations = {
  parameters: { destination: 'aws-parameter-store', destinationConfig: { region: 'eu-west-1', path: '/app/' } },
  secrets: {
    destination: 'aws-secrets-manager',
    destinationConfig: { region: 'eu-west-1', mappingBehavior: 'one-to-one', prefix: 'app/' },
  },
  json: {
    destination: 'aws-secrets-manager',
    destinationConfig: { region: 'eu-west-1', mappingBehavior: 'many-to-one', secretName: 'app' },
  },
} as const;

const refuse = (at: keyof typeof destinations, options: object) => () => {
  refuseUselessOptions({ ...destinations[at], syncOptions: syncOptions.parse(options) });
};

describe('options of a sync', () => {
  it.each([
    ['secrets', { tier: 'advanced' }, 'syncOptions.tier has no effect: a secret has no tier'],
    ['json', { tier: 'intelligent' }, 'syncOptions.tier has no effect: a JSON secret has no tier'],
    ['parameters', { recoveryDays: 8 }, 'syncOptions.recoveryDays has no effect: a parameter is deleted at once'],
    ['parameters', { recoveryDays: 'force' }, 'syncOptions.recoveryDays has no effect'],
    ['parameters', { replicaRegions: ['us-east-1'] }, 'syncOptions.replicaRegions has no effect'],
    ['json', { syncSecretMetadataAsTags: true }, 'one JSON secret holds all keys'],
    ['secrets', { replicaRegions: ['eu-west-1'] }, 'names eu-west-1, where the secret itself is'],
    ['json', { replicaRegions: ['us-east-1', 'us-east-1'] }, 'syncOptions.replicaRegions names us-east-1 twice'],
    ['secrets', { replicaRegions: ['us-gov-east-1'] }, 'names us-gov-east-1, which AWS keeps apart from eu-west-1'],
  ] as const)('for %s: %o is refused', (at, options, message) => {
    expect(refuse(at, options)).toThrow(message);
  });

  it('are refused all at once', () => {
    expect(refuse('parameters', { recoveryDays: 9, replicaRegions: ['us-east-1'] })).toThrow(
      /recoveryDays has no effect.*; syncOptions\.replicaRegions has no effect/,
    );
  });

  it.each([
    ['parameters', { tier: 'advanced', syncSecretMetadataAsTags: true, recoveryDays: 7, replicaRegions: [] }],
    [
      'secrets',
      { tier: 'standard', syncSecretMetadataAsTags: true, recoveryDays: 'force', replicaRegions: ['us-east-1'] },
    ],
    ['json', { replicaRegions: ['us-east-1', 'us-west-2'], replicaKeys: { 'us-west-2': 'alias/app' } }],
  ] as const)('for %s are taken where they have an effect, and defaults everywhere: %o', (at, options) => {
    expect(refuse(at, options)).not.toThrow();
  });
});
