/** SSM Parameter Store: versions and labels, as documented. */
import assert from 'node:assert/strict';
import {
  GetParameterHistoryCommand,
  LabelParameterVersionCommand,
  PutParameterCommand,
  UnlabelParameterVersionCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import { contractCases } from './case.ts';
import { refused } from './expect.ts';
import type { ContractTarget } from './target.ts';

async function put(target: ContractTarget, more: Partial<PutParameterCommandInput> = {}): Promise<{ name: string }> {
  const input = { Name: `/${target.uniqueName('contract')}/v`, Value: 'value', Type: 'String' as const, ...more };
  await target.admin.ssm.send(new PutParameterCommand(input));
  return { name: input.Name };
}

export const SSM_VERSION_CASES = contractCases('ssm', {
  'a hundred versions are kept, the oldest goes': async (target) => {
    const { name } = await put(target);
    for (let version = 2; version <= 101; version += 1)
      await put(target, { Name: name, Overwrite: true, Value: String(version) });
    const { Parameters } = await target.admin.ssm.send(new GetParameterHistoryCommand({ Name: name, MaxResults: 1 }));
    assert.equal(Parameters?.[0]?.Version, 2);
  },
  'a label on the oldest of a hundred versions stops new ones': async (target) => {
    const { name } = await put(target);
    await target.admin.ssm.send(
      new LabelParameterVersionCommand({ Name: name, ParameterVersion: 1, Labels: ['keep'] }),
    );
    for (let version = 2; version <= 100; version += 1) await put(target, { Name: name, Overwrite: true });
    await refused(put(target, { Name: name, Overwrite: true }), 'ParameterMaxVersionLimitExceeded');
  },
  'a label sits on one version and can be taken off': async (target) => {
    const { name } = await put(target);
    await put(target, { Name: name, Overwrite: true });
    const label = (ParameterVersion: number) =>
      target.admin.ssm.send(new LabelParameterVersionCommand({ Name: name, ParameterVersion, Labels: ['live'] }));
    await label(1);
    await label(2);
    const { Parameters } = await target.admin.ssm.send(new GetParameterHistoryCommand({ Name: name }));
    assert.deepEqual(
      Parameters?.map((p) => p.Labels ?? []),
      [[], ['live']],
    );
    const off = await target.admin.ssm.send(
      new UnlabelParameterVersionCommand({ Name: name, ParameterVersion: 2, Labels: ['live', 'none'] }),
    );
    assert.deepEqual([off.RemovedLabels, off.InvalidLabels], [['live'], ['none']]);
  },
  'labels that are none are reported, eleven are too many': async (target) => {
    const { name } = await put(target);
    const label = (Labels: string[]) =>
      target.admin.ssm.send(new LabelParameterVersionCommand({ Name: name, ParameterVersion: 1, Labels }));
    assert.deepEqual((await label(['1st', 'aws-x', 'fine'])).InvalidLabels, ['1st', 'aws-x']);
    await label(Array.from({ length: 9 }, (_, index) => `l${String(index)}`));
    await refused(label(['one-more']), 'ParameterVersionLabelLimitExceeded');
  },
});
