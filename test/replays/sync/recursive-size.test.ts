/** What a recursive sync of many folders costs: the calls of a flat one, counted. */
import { expect, test } from 'vitest';

import { useStage } from '../../support/use-stage.ts';
import { createWorld, total, type World } from '../../integration/sync/world.ts';

const stage = useStage();

const SECRETS = 5_000;
const FOLDERS = 200;
const EACH = SECRETS / FOLDERS;

const values = (from: number, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`K${String(from + index)}`, 'v']));

async function plantTree(world: World): Promise<void> {
  for (let folder = 0; folder < FOLDERS; folder += 1)
    await world.setBelow(`team-${String(folder % 20)}/f${String(folder)}`, values(folder * EACH, EACH));
}

test(
  '5,000 secrets in 200 folders cost the calls of a flat sync, and unchanged none',
  { timeout: 300_000 },
  async () => {
    const world = await createWorld(stage);
    await plantTree(world);
    const { id } = await world.createSync({ syncOptions: { recursive: true } });
    const first = await world.runUntilDone(id, {}, { maxRuns: 1_000 });
    const asked = await world.runUntilDone(id, { request: 'sync' });
    const row = await world.row(id);
    await world.syncs.update(row, { syncOptions: { ...row.syncOptions } }, 'ann');
    const unchanged = await world.runUntilDone(id);
    expect([first.outcome.status, asked.outcome.status, unchanged.outcome.status]).toEqual(Array(3).fill('succeeded'));
    expect(Object.keys(world.parameters())).toHaveLength(SECRETS);
    expect(first.calls).toEqual({ 'ssm.PutParameter': SECRETS });
    expect(asked.calls).toEqual({ 'ssm.DescribeParameters': SECRETS / 50 });
    expect(total(unchanged.calls)).toBe(0);
  },
);
