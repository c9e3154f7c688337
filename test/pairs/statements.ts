/** The engine's statements: each may wait for the row of its subject. */
import { repairInvariants } from '../../src/db/invariants.ts';
import type { Kind } from '../../src/domain/run.ts';
import { beginRun, endRun, type Scene, type Stores } from './scene.ts';

export interface Statement {
  readonly name: string;
  /** In what state the statement meets its subject. */
  readonly meets: 'dispatched' | 'due' | 'running';
  execute(stores: Stores, scene: Scene, kind: Kind): Promise<unknown>;
}

export const statements: readonly Statement[] = [
  {
    name: 'claim',
    meets: 'dispatched',
    execute: (stores, scene, kind) => beginRun(stores, scene, { kind, id: scene.ids[kind] }),
  },
  {
    name: 'renew',
    meets: 'running',
    execute: async ({ work }, scene, kind) => {
      const id = scene.ids[kind];
      const runId = scene.runs.get(id)?.claim.runId;
      if (runId !== undefined) await work.renew(kind, id, runId);
    },
  },
  {
    name: 'settle',
    meets: 'running',
    execute: (stores, scene, kind) => endRun(stores, scene, { id: scene.ids[kind] }),
  },
  {
    name: 'settle continued',
    meets: 'running',
    execute: (stores, scene, kind) => endRun(stores, scene, { id: scene.ids[kind], isOver: false }),
  },
  { name: 'dispatch', meets: 'due', execute: ({ work }, _, kind) => work.dispatchDue(kind, 500) },
  {
    name: 'undispatch',
    meets: 'dispatched',
    execute: ({ work }, scene, kind) => work.undispatch(kind, [scene.ids[kind]]),
  },
  { name: 'housekeeping', meets: 'due', execute: ({ db }) => repairInvariants(db) },
];
