import { describe, expect, it } from 'vitest';

import { partitionOfRegion } from '../../../src/domain/partitions.ts';
import { nearest } from '../../../src/domain/nearest.ts';
import { regionProblem } from '../../../src/domain/regions.ts';
import { parameterStore } from '../../../src/domain/destinations/parameter-store.ts';
import { syncOptions } from '../../../src/domain/sync/config.ts';

describe('the name of a region', () => {
  it.each([
    ['eu-wst-1', 'eu-west-1'],
    ['eu-west1', 'eu-west-1'],
    ['us-eats-1', 'us-east-1'],
    ['eu-centrl-1', 'eu-central-1'],
    ['ap-southest-2', 'ap-southeast-2'],
    ['cn-norht-1', 'cn-north-1'],
    ['us-gov-wset-1', 'us-gov-west-1'],
    ['EU-WEST-1', 'eu-west-1'],
  ])('%s is refused, and %s suggested', (region, meant) => {
    expect(regionProblem(region)).toBe(`is not an AWS region; did you mean ${meant}?`);
  });

  it.each(['nowhere-1', 'europe', '', 'x'])('%j is refused without a suggestion', (region) => {
    expect(regionProblem(region)).toBe('is not an AWS region such as eu-west-1');
  });

  it.each([
    ['eu-west-1', 'aws'],
    // Not opened yet: AWS opens regions more often than this program is updated.
    ['ap-southeast-9', 'aws'],
    ['cn-northwest-1', 'aws-cn'],
    ['us-gov-east-1', 'aws-us-gov'],
    ['eusc-de-east-1', 'aws-eusc'],
    ['us-iso-east-1', 'aws-iso'],
  ])('%s is one of partition %s', (region, partition) => {
    expect(regionProblem(region)).toBeUndefined();
    expect(partitionOfRegion(region)).toBe(partition);
  });

  it('is judged where a sync is made', () => {
    const config = parameterStore.config.safeParse({ region: 'eu-wst-1', path: '/a/' });
    expect(config.error?.issues[0]).toMatchObject({ path: ['region'], message: regionProblem('eu-wst-1') });
    const options = syncOptions.safeParse({ replicaRegions: ['eu-wst-1'] });
    expect(options.error?.issues[0]).toMatchObject({ message: regionProblem('eu-wst-1') });
  });
});

describe('the nearest known name', () => {
  it.each([
    ['KEYFERRY_ENCRYPTION_KEY', 'KEYFERRY_ENCRYPTION_KEYS'],
    ['KEYFERRY_LOGLEVEL', 'KEYFERRY_LOG_LEVEL'],
    ['KEYFERRY_NOTHING_LIKE_IT', undefined],
  ])('of %s is %s', (name, meant) => {
    expect(nearest(name, ['KEYFERRY_ENCRYPTION_KEYS', 'KEYFERRY_LOG_LEVEL', 'KEYFERRY_ORG'])).toBe(meant);
  });

  it('takes no time for a name of a megabyte, which nobody misspelt', () => {
    const startedAt = performance.now();
    expect(regionProblem('x'.repeat(1_000_000))).toBe('is not an AWS region such as eu-west-1');
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});
