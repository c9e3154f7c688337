/**
 * The audit row of each change on the board: whose it is, before it is made, and how it ended. Bull
 * Board's hooks know the request's headers but not who logged in, so the person comes with the
 * asynchronous context of the request.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

import type { MiddlewareHandler } from 'hono';

import type { AuditLog } from '../../db/audit-log.ts';
import type { Log } from '../../observe/log.ts';
import type { BoardChange } from './board.ts';

export interface ChangeRecord {
  /** Goes around the board's routes, behind the login. */
  readonly scene: MiddlewareHandler;
  /** Resolves once the row is there. Throws outside a request of the board. */
  record(change: BoardChange): Promise<void>;
}

interface Scene {
  readonly actor: string;
  readonly requestId: string;
  isRecorded: boolean;
}

export function createChangeRecord(audit: AuditLog, log: Log): ChangeRecord {
  const scenes = new AsyncLocalStorage<Scene>();
  return {
    async scene(c, next) {
      const scene: Scene = { actor: c.get('operator'), requestId: c.get('requestId'), isRecorded: false };
      await scenes.run(scene, next);
      if (!scene.isRecorded) return;
      const { requestId } = scene;
      await audit.settle({ requestId, statusCode: c.res.status }).catch((error: unknown) => {
        // The change is made and on record; only how it ended is not.
        log.warn({ err: error, requestId }, 'the outcome of a change is not in the audit log');
      });
    },
    async record({ action, queue, jobId }) {
      const scene = scenes.getStore();
      if (scene === undefined) throw new Error('A change of the board came without its request.');
      const { actor, requestId } = scene;
      const subject = [queue, jobId].filter((part) => part !== undefined).join('/');
      await audit.record({
        orgId: undefined,
        actor,
        via: 'board',
        action: `board.${action}`,
        // All queues.
        subject: subject === '' ? undefined : subject,
        requestId,
      });
      scene.isRecorded = true;
    },
  };
}
