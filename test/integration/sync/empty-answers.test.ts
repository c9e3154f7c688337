import { expect, test } from 'vitest';

import type { LedgerEntry } from '../../../src/domain/sync/ledger.ts';
import { createEmptyAnswers } from '../../support/empty-answers.ts';
import { useStage } from '../../support/use-stage.ts';
import { createWorld, HOUR, REGION, type SyncInput, type World } from './world.ts';

/**
 * An answer without the fields that AWS always sends never reads as "nothing exists", nor as
 * "done".
 */
const stage = useStage();

const toSecrets: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'one-to-one', prefix: 'prod/' },
};
const toJson: SyncInput = {
  destination: 'aws-secrets-manager',
  destinationConfig: { region: REGION, mappingBehavior: 'many-to-one', secretName: 'prod' },
};
const requests = ['sync', 'check', 'plan', 'import', 'remove'] as const;
const operations = {
  parameters: [{}, ['GetParameters', 'DescribeParameters', 'GetParametersByPath', 'ListTagsForResource']],
  secrets: [toSecrets, ['ListSecrets', 'DescribeSecret', 'BatchGetSecretValue']],
  'a JSON secret': [toJson, ['DescribeSecret', 'GetSecretValue']],
} as const;
const cases = Object.entries(operations).flatMap(([what, [input, names]]) =>
  names.map((operation) => [what, operation, input as SyncInput] as const),
);
const looks = (world: World) => ({ ...world.parameters('/'), ...world.secrets() });

/** A sync in place, whose next run has something to write, and something to delete. */
async function setUp(input: SyncInput) {
  const answers = createEmptyAnswers();
  const world = await createWorld(stage, { wrapHandle: answers.wrapHandle });
  await world.set({ A: '1', B: '2' });
  const { id } = await world.createSync(input);
  await world.runUntilDone(id);
  world.clock.advance(2 * HOUR);
  return { world, id, answers };
}

/** An outcome that claims nothing about objects. */
const isUndecided = (status: string) => status === 'retry' || status === 'continued';

test.each(cases)('%s: nothing is concluded from an empty answer to %s', async (_what, operation, input) => {
  let emptied = 0;
  for (const request of requests) {
    const { world, id, answers } = await setUp(input);
    await world.set({ A: '2', B: null });
    const before = looks(world);
    const rows = await world.entries(id);
    answers.empty(operation);

    const { outcome } = await world.runOnce(id, { request });

    if (answers.count() === 0) continue;
    emptied += 1;
    expect(isUndecided(outcome.status), `${request}: ${JSON.stringify(outcome)}`).toBe(true);
    if (request !== 'sync') expect(looks(world)).toEqual(before);
    if (request !== 'sync') expect((await world.entries(id)).map(toState)).toEqual(rows.map(toState));
    answers.repair();
    expect((await world.runUntilDone(id)).outcome.status, request).toBe('succeeded');
  }
  expect(emptied).toBeGreaterThan(0);
});

const toState = ({ key, status, drift }: LedgerEntry) => ({ key, status, drift });

test.each([
  ['parameters', 'DeleteParameters', {}],
  ['parameters', 'PutParameter', {}],
  ['secrets', 'DeleteSecret', toSecrets],
  ['secrets', 'UpdateSecret', toSecrets],
  ['a JSON secret', 'DeleteSecret', toJson],
  ['a JSON secret', 'PutSecretValue', toJson],
] as const)('%s: an empty answer to %s means neither done nor undone', async (_what, operation, input) => {
  for (const isForwarded of [false, true]) {
    const { world, id, answers } = await setUp(input);
    await world.set({ A: '2' });
    answers.empty(operation, { isForwarded });
    const request = operation.startsWith('Delete') ? 'remove' : 'sync';

    const { outcome } = await world.runOnce(id, { request });

    expect(answers.count()).toBeGreaterThan(0);
    expect(isUndecided(outcome.status), JSON.stringify(outcome)).toBe(true);
    answers.repair();
    expect((await world.runUntilDone(id)).outcome.status).toBe('succeeded');
    if (request === 'remove') expect(looks(world)).toEqual({});
  }
});
