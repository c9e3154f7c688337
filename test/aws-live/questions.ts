/**
 * What AWS's documents leave open or answer in two ways, asked of the endpoint itself. Each
 * question leaves facts, which are recorded and compared with the sandbox, and timings, which are
 * only printed.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { GetAccessKeyLastUsedCommand } from '@aws-sdk/client-iam';
import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  DescribeParametersCommand,
  GetParameterCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';

import { allow, trust, type ContractTarget } from '../contract/target.ts';

export interface Answer {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly timings?: Readonly<Record<string, number | string>>;
}

export interface Question {
  readonly id: string;
  readonly text: string;
  readonly ask: (target: ContractTarget, patienceMs: number) => Promise<Answer>;
}

/** `accepted`, or the name of the refusal. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.name : 'unknown';
  }
}

function put(target: ContractTarget, input: Partial<PutParameterCommandInput> & { readonly Name: string }) {
  return target.admin.ssm.send(new PutParameterCommand({ Value: 'value', Type: 'String', ...input }));
}

async function metadataOf({ admin: { ssm } }: ContractTarget, name: string) {
  const ParameterFilters = [{ Key: 'Name', Option: 'Equals', Values: [name] }];
  const { Parameters = [] } = await ssm.send(new DescribeParametersCommand({ ParameterFilters }));
  return Parameters[0];
}

/** Repeats until it is accepted; how long that took, or `not within …`. */
async function timeUntilAccepted(call: () => Promise<unknown>, patienceMs: number): Promise<number | string> {
  const startedAt = performance.now();
  while ((await outcomeOf(call())) !== 'accepted') {
    if (performance.now() - startedAt > patienceMs) return `not within ${String(patienceMs)} ms`;
    await sleep(500);
  }
  return Math.round(performance.now() - startedAt);
}

async function changeType(target: ContractTarget): Promise<Answer> {
  const Name = `/${target.uniqueName('type')}`;
  await put(target, { Name });
  const toSecure = await outcomeOf(put(target, { Name, Type: 'SecureString', Overwrite: true }));
  const Type = (await metadataOf(target, Name))?.Type;
  const other = `/${target.uniqueName('type')}`;
  await put(target, { Name: other, Type: 'SecureString' });
  const toPlain = await outcomeOf(put(target, { Name: other, Type: 'String', Overwrite: true }));
  const withoutType = await outcomeOf(put(target, { Name: other, Type: undefined, Overwrite: true }));
  return { facts: { toSecure, typeAfterwards: Type, toPlain, withoutType } };
}

async function keyOnString(target: ContractTarget): Promise<Answer> {
  const Name = `/${target.uniqueName('key')}`;
  const outcome = await outcomeOf(put(target, { Name, KeyId: 'alias/aws/ssm' }));
  const hasKey = outcome === 'accepted' ? (await metadataOf(target, Name))?.KeyId !== undefined : undefined;
  return { facts: { outcome, ...(hasKey === undefined ? {} : { hasKeyAfterwards: hasKey }) } };
}

async function rootNames(target: ContractTarget): Promise<Answer> {
  const bare = target.uniqueName('root');
  const slashed = `/${target.uniqueName('root')}`;
  await put(target, { Name: bare });
  await put(target, { Name: slashed });
  const nameOf = async (Name: string): Promise<string> => {
    const { Parameter } = await target.admin.ssm.send(new GetParameterCommand({ Name }));
    return Parameter?.Name?.startsWith('/') === true ? 'with slash' : 'without slash';
  };
  const isOne = await outcomeOf(put(target, { Name: `/${bare}` }));
  return {
    facts: {
      madeWithoutSlash: await nameOf(bare),
      madeWithSlash: await nameOf(slashed),
      readWithoutItsSlash: await outcomeOf(nameOf(slashed.slice(1))),
      sameNameWithSlash: isOne,
    },
  };
}

async function describeFilters(target: ContractTarget, patienceMs: number): Promise<Answer> {
  const Names = Array.from({ length: 12 }, () => `/${target.uniqueName('described')}`);
  const Tags = [{ Key: 'keyferry:live', Value: 'described' }];
  for (const Name of Names) await put(target, { Name, Tags });
  const ParameterFilters = [
    { Key: 'Name', Option: 'Equals', Values: Names },
    { Key: 'tag:keyferry:live', Values: ['described'] },
  ];
  let pages = 0;
  let emptyPages = 0;
  const isComplete = async (): Promise<void> => {
    let found = 0;
    let NextToken: string | undefined;
    do {
      const page = await target.admin.ssm.send(
        new DescribeParametersCommand({ ParameterFilters, MaxResults: 50, NextToken }),
      );
      pages += 1;
      if ((page.Parameters ?? []).length === 0) emptyPages += 1;
      found += (page.Parameters ?? []).length;
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    if (found < Names.length) throw new Error('incomplete');
  };
  const completeAfterMs = await timeUntilAccepted(isComplete, patienceMs);
  return {
    facts: { becomesComplete: typeof completeAfterMs === 'number' },
    timings: { completeAfterMs, pages, emptyPages },
  };
}

const BURST = 60;

/** What a burst of calls gets, without waiting for anything. */
async function rates(target: ContractTarget): Promise<Answer> {
  const Name = `/${target.uniqueName('rate')}`;
  await put(target, { Name });
  const burst = async (send: (index: number) => Promise<unknown>): Promise<string> => {
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: BURST }, async (_, index) => send(index)));
    return `${String(BURST)} in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
  };
  const names = Array.from({ length: BURST }, () => `/${target.uniqueName('rate')}`);
  const putParameter = await burst((index) => put(target, { Name: names[index] ?? Name }));
  const tags = await burst((index) =>
    target.admin.ssm.send(
      new AddTagsToResourceCommand({
        ResourceType: 'Parameter',
        ResourceId: names[index] ?? Name,
        Tags: [{ Key: 'a', Value: 'b' }],
      }),
    ),
  );
  return { facts: {}, timings: { putParameter, addTagsToResource: tags } };
}

async function lastUse(target: ContractTarget, patienceMs: number): Promise<Answer> {
  const { userName } = await target.createUser(allow(['sts:*']));
  const key = await target.createKey(userName);
  await target.clientsFor(key).sts.send(new GetCallerIdentityCommand({}));
  const isShown = async (): Promise<void> => {
    const answer = await target.admin.iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId }));
    if (answer.AccessKeyLastUsed?.LastUsedDate === undefined) throw new Error('not shown');
  };
  return { facts: {}, timings: { shownAfterMs: await timeUntilAccepted(isShown, patienceMs) } };
}

async function propagation(target: ContractTarget, patienceMs: number): Promise<Answer> {
  const { userName, arn } = await target.createUser(allow(['sts:AssumeRole']));
  const key = await target.createKey(userName);
  const clients = target.clientsFor(key);
  const keyWorksAfterMs = await timeUntilAccepted(() => clients.sts.send(new GetCallerIdentityCommand({})), patienceMs);
  const role = await target.createRole({ trust: trust(arn), policy: allow(['ssm:GetParameters']) });
  const assume = () => clients.sts.send(new AssumeRoleCommand({ RoleArn: role.arn, RoleSessionName: 'keyferry-live' }));
  return { facts: {}, timings: { keyWorksAfterMs, roleWorksAfterMs: await timeUntilAccepted(assume, patienceMs) } };
}

async function recreation(target: ContractTarget, patienceMs: number): Promise<Answer> {
  const { ssm, secrets } = target.admin;
  const Name = `/${target.uniqueName('again')}`;
  await put(target, { Name });
  await ssm.send(new DeleteParameterCommand({ Name }));
  const parameterAtOnce = await outcomeOf(put(target, { Name }));
  const parameterAfterMs =
    parameterAtOnce === 'accepted' ? 0 : await timeUntilAccepted(() => put(target, { Name }), patienceMs);
  const secret = target.uniqueName('again');
  const create = () => secrets.send(new CreateSecretCommand({ Name: secret, SecretString: 'value' }));
  await create();
  await secrets.send(new DeleteSecretCommand({ SecretId: secret, ForceDeleteWithoutRecovery: true }));
  const forcedAtOnce = await outcomeOf(create());
  const secretAfterMs = forcedAtOnce === 'accepted' ? 0 : await timeUntilAccepted(create, patienceMs);
  const planned = target.uniqueName('again');
  await secrets.send(new CreateSecretCommand({ Name: planned, SecretString: 'value' }));
  await secrets.send(new DeleteSecretCommand({ SecretId: planned, RecoveryWindowInDays: 7 }));
  const whilePlanned = await outcomeOf(secrets.send(new CreateSecretCommand({ Name: planned, SecretString: 'value' })));
  return { facts: { whilePlanned }, timings: { parameterAtOnce, parameterAfterMs, forcedAtOnce, secretAfterMs } };
}

export const QUESTIONS: readonly Question[] = [
  { id: 'type-change', text: 'Does PutParameter with Overwrite change the type of a parameter?', ask: changeType },
  { id: 'key-on-string', text: 'Is KeyId accepted on a parameter of type String?', ask: keyOnString },
  { id: 'root-names', text: 'Under which name does AWS return a parameter at the root?', ask: rootNames },
  {
    id: 'describe-filters',
    text: 'When does DescribeParameters find new parameters by name and tag?',
    ask: describeFilters,
  },
  { id: 'rates', text: 'How fast are PutParameter and AddTagsToResource?', ask: rates },
  { id: 'last-use', text: 'After how long is the last use of a key shown?', ask: lastUse },
  { id: 'propagation', text: 'After how long do a new key and a new role work?', ask: propagation },
  { id: 'recreation', text: 'What happens to a name that was deleted a moment ago?', ask: recreation },
];
