/** What does nothing at a destination, and replicas that cannot be, are refused at the edge. */
import { describe, expect, it } from 'vitest';

import { optionProblems } from '../../../src/client/sync-target.ts';
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

const problems = (at: keyof typeof destinations, options: object): string =>
  optionProblems({ ...destinations[at], syncOptions: syncOptions.parse(options) }).join('; ');

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
    [
      'parameters',
      { keyId: 'arn:aws:kms:us-east-1:111122223333:key/1' },
      'syncOptions.keyId is a KMS key of us-east-1, but the destination is in eu-west-1',
    ],
    ['secrets', { replicaRegions: ['us-gov-east-1'] }, 'names us-gov-east-1, which AWS keeps apart from eu-west-1'],
  ] as const)('for %s: %o is refused', (at, options, message) => {
    expect(problems(at, options)).toContain(message);
  });

  it('are refused all at once', () => {
    expect(problems('parameters', { recoveryDays: 9, replicaRegions: ['us-east-1'] })).toMatch(
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
    expect(problems(at, options)).toBe('');
  });
});
