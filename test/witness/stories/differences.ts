/** The table of differences, probed. */
import { DIFFERENCES } from '../differences.ts';
import { expectTrue, type Story } from '../story.ts';

export const DIFFERENCE_STORIES: readonly Story[] = [
  {
    name: 'differences between moto and AWS',
    lane: 'short',
    queues: 'redis',
    async tell({ check, id, world }) {
      if (!world.isMoto) return;
      const account = await world.account();
      for (const [name, { differs }] of Object.entries(DIFFERENCES)) {
        await check(`moto differs: ${name}`, async () =>
          expectTrue(
            await differs({ boto: world.rawBoto, account, id }),
            'behaves as documented now: take it out of the table',
          ),
        );
      }
    },
  },
];
