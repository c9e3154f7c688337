/**
 * KMS keys of replicas: what the edge refuses, what counts as a change, and what a policy allows.
 */
import { describe, expect, it } from 'vitest';

import { optionProblems } from '../../../src/client/sync-target.ts';
import { targetOfSync } from '../../../src/domain/connection/uses.ts';
import { policyFor } from '../../../src/domain/policy/policies.ts';
import { changedOptions, syncOptionChanges, syncOptions } from '../../../src/domain/sync/config.ts';
import { settingsText } from '../../../src/domain/sync/ledger.ts';
import { type Replicas, planReplicas } from '../../../src/domain/sync/replicas.ts';

const REGION = 'us-east-1';
const KEY = `arn:aws:kms:${REGION}:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000`;
const options = (input: object) => syncOptions.parse(input);
const secrets = (syncOptions: object) => ({
  destination: 'aws-secrets-manager' as const,
  destinationConfig: { region: 'eu-west-1', mappingBehavior: 'one-to-one' as const, prefix: 'app/' },
  syncOptions: options(syncOptions),
});

describe('an option for the KMS key of a replica', () => {
  it.each([
    [{ 'us-west-2': KEY }, 'must be a KMS key of us-west-2; this one is of us-east-1'],
    [{ [REGION]: '' }, 'must be a KMS key id, alias or ARN'],
    [{ [REGION]: 'two words' }, 'must be a KMS key id, alias or ARN'],
  ])('refuses %o', (replicaKeys, message) => {
    const region = Object.keys(replicaKeys)[0];
    const refused = syncOptions.safeParse({ replicaRegions: [region], replicaKeys });
    expect(refused.error?.issues).toMatchObject([{ path: ['replicaKeys', region], message }]);
  });

  it.each([KEY, 'alias/app', '0a1b2c3d-0000-4000-8000-000000000000', `arn:aws:kms:${REGION}:111122223333:alias/app`])(
    'takes %s',
    (key) => {
      expect(optionProblems(secrets({ replicaRegions: [REGION], replicaKeys: { [REGION]: key } }))).toEqual([]);
    },
  );

  it('refuses a region without a replica, and destinations without replicas', () => {
    const replicaKeys = { [REGION]: KEY };
    expect(optionProblems(secrets({ replicaRegions: ['us-west-2'], replicaKeys }))).toEqual([
      'syncOptions.replicaKeys names us-east-1, which is not in replicaRegions',
    ]);
    const parameters = {
      destination: 'aws-parameter-store' as const,
      destinationConfig: { region: 'eu-west-1', path: '/app/' },
      syncOptions: options({ replicaRegions: [REGION], replicaKeys }),
    };
    expect(optionProblems(parameters).join()).toContain('a parameter has no replicas');
  });

  it('is removed by null', () => {
    const present = options({ replicaRegions: [REGION], replicaKeys: { [REGION]: KEY } });
    const changed = changedOptions(present, syncOptionChanges.pick({ replicaKeys: true }).parse({ replicaKeys: null }));
    expect(changed).toEqual(options({ replicaRegions: [REGION] }));
  });

  it('is part of the settings, whose text is that of earlier versions without it', () => {
    const settings = { keyId: null, tags: {}, replicaRegions: [REGION] };
    expect(settingsText(settings)).toBe('[null,null,[],["us-east-1"]]');
    expect(settingsText({ ...settings, replicaKeys: { [REGION]: KEY } })).not.toBe(settingsText(settings));
  });

  it('is a statement of the policy, for the service in the region of the replica', () => {
    const target = targetOfSync(secrets({ replicaRegions: [REGION], replicaKeys: { [REGION]: 'alias/app' } }));
    const { Statement } = policyFor(target, { partition: 'aws', accountId: '111122223333' });
    expect(Statement.find(({ Sid }) => Sid === 'KeyferryReplicaKeys')).toEqual({
      Sid: 'KeyferryReplicaKeys',
      Effect: 'Allow',
      Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'],
      Resource: ['arn:aws:kms:us-east-1:111122223333:key/*'],
      Condition: { StringLike: { 'kms:ViaService': ['secretsmanager.us-east-1.*'] } },
    });
    expect(Statement.some(({ Sid }) => Sid === 'KeyferryKmsKey')).toBe(false);
  });
});

describe('a plan for replicas', () => {
  const replica = (keyId: string | null, status: 'InSync' | 'Failed' = 'InSync'): Replicas => ({
    [REGION]: { status, message: '', keyId },
  });
  const row = (replicaKeys: Record<string, string> = {}, ownReplicas?: readonly string[]) => ({
    settings: { keyId: null, tags: {}, replicaRegions: [REGION], replicaKeys },
    observed: { ownReplicas },
  });
  const wanted = (key?: string) => row(key === undefined ? {} : { [REGION]: key }).settings;
  const nothing = { replaced: [], made: [], dropped: [] };

  it.each([
    ['the same key', row({ [REGION]: KEY }), wanted(KEY), replica(KEY), nothing],
    ['no key and AWS’s own', row(), wanted(), replica(null), nothing],
    ['another key', row(), wanted(KEY), replica(null), { replaced: [REGION] }],
    ['no key any more', row({ [REGION]: KEY }), wanted(), replica(KEY), { replaced: [REGION] }],
    ['an alias that was set before', row({ [REGION]: 'alias/app' }), wanted('alias/app'), replica(KEY), nothing],
    ['an alias that is new', row({ [REGION]: KEY }), wanted('alias/app'), replica(KEY), { replaced: [REGION] }],
    ['a replica of somebody else', row({}, []), wanted(KEY), replica(null), nothing],
    ['a failed one of somebody else', row({}, []), wanted(KEY), replica(null, 'Failed'), { replaced: [] }],
    ['a failed one', row(), wanted(), replica(null, 'Failed'), { replaced: [] }],
  ])('for %s', (_what, entry, settings, replicas, expected) => {
    const plan = planReplicas(entry, settings, replicas);
    expect(plan).toMatchObject(expected);
    if (expected !== nothing) expect(plan.made).toMatchObject([{ region: REGION }]);
  });
});
