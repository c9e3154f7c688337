/**
 * Bull Board for the three queues, on either backend, read-only unless the operator says otherwise.
 * Its formatters do not cover failure reasons, stack traces, options and logs, so every job leaves
 * through an adapter that shows ids only (`clean-job.ts`).
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { BeforeHookResult, BoardHooks } from '@bull-board/api/typings/app';
import { HonoAdapter } from '@bull-board/hono';
import { serveStatic } from '@hono/node-server/serve-static';
import type { Job, Queue } from 'bullmq';
import type { Hono } from 'hono';

import { errorTable } from '../../errors.ts';
import { cleanData, cleanJob, cleanName, cleanProgress, cleanResult, subjectPage } from './clean-job.ts';

export const BOARD_PATH = '/board';

export interface BoardOptions {
  readonly queues: readonly Queue[];
  readonly isWritable: boolean;
  /**
   * Called before a job or a queue is changed through the board. A rejection refuses the change.
   */
  readonly onChange: (change: BoardChange) => Promise<void>;
}

export interface BoardChange {
  /** `retry`, `pause`, `clean-all`. */
  readonly action: string;
  readonly queue: string | undefined;
  readonly jobId: string | undefined;
}

const descriptions: Readonly<Record<string, string>> = {
  validate: 'Checks that a connection’s credentials work and what they may do',
  sync: 'Writes a folder’s secrets to AWS, plans, imports and removes',
  rotate: 'Replaces an IAM user’s access key, one phase at a time',
};

/**
 * What operators may do when the board is writable. Retrying a job means: run its subject now.
 * Everything else stays PostgreSQL's to decide: a waiting job is somebody's wish, so none is added,
 * edited or discarded here.
 */
const allowedRoutes: Readonly<Record<string, string>> = {
  '/api/queues/:queueName/:jobId/retry': 'retry',
  '/api/queues/:queueName/retry/:queueStatus': 'retry-all',
  '/api/queues/:queueName/pause': 'pause',
  '/api/queues/:queueName/resume': 'resume',
  '/api/queues/pause': 'pause-all',
  '/api/queues/resume': 'resume-all',
  '/api/queues/:queueName/:jobId/clean': 'clean',
  '/api/queues/:queueName/clean/:queueStatus': 'clean-all',
};

const FINISHED = ['completed', 'failed'];
const NOT_HERE =
  'keyferry does not allow this on the board: jobs only wake workers, and PostgreSQL holds the work itself.';

class CleanAdapter extends BullMQAdapter {
  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job && withCleanJson(job);
  }

  override async getJobs(...query: Parameters<BullMQAdapter['getJobs']>): Promise<Job[]> {
    return (await super.getJobs(...query)).map(withCleanJson);
  }

  /** Free text from an unknown writer. */
  override getJobLogs(): Promise<string[]> {
    return Promise.resolve([]);
  }

  /** keyferry has no flows; a foreign one would show its children's raw failures. */
  override getFlowProducer(): Promise<null> {
    return Promise.resolve(null);
  }

  /** keyferry has no schedulers; a foreign one would show its raw template. */
  override getJobSchedulers(): Promise<[]> {
    return Promise.resolve([]);
  }

  override getJobSchedulersCount(): Promise<number> {
    return Promise.resolve(0);
  }

  override getQueueDefaultJobOptions(): Record<string, never> {
    return {};
  }
}

/** The board serialises jobs by `toJSON` and still needs their methods. */
function withCleanJson(job: Job): Job {
  const toJson = job.toJSON.bind(job);
  job.toJSON = () => cleanJob(toJson());
  return job;
}

function adapterOf(queue: Queue, { isWritable }: Pick<BoardOptions, 'isWritable'>): CleanAdapter {
  const adapter = new CleanAdapter(queue, {
    readOnlyMode: !isWritable,
    allowRetries: isWritable,
    description: descriptions[queue.name] ?? '',
    externalJobUrl: ({ data }) => subjectPage(data),
  });
  adapter.setFormatter('data', cleanData);
  adapter.setFormatter('returnValue', cleanResult);
  adapter.setFormatter('progress', cleanProgress);
  adapter.setFormatter('name', (job: { name: string }) => cleanName(job.name));
  return adapter;
}

/** The routes below `/board`. */
export function createBoard(options: BoardOptions): Hono {
  const server = new HonoAdapter(serveStatic).setBasePath(BOARD_PATH);
  createBullBoard({
    queues: options.queues.map((queue) => adapterOf(queue, options)),
    serverAdapter: server,
    options: {
      uiConfig: {
        boardTitle: 'keyferry',
        hideRedisDetails: true,
        hideDocsLink: true,
        miscLinks: [{ text: 'Status page', url: '/' }],
        pollingInterval: { showSetting: true },
      },
      handlerHooks: {
        before: (context) => guardChange(options, context),
      },
    },
  });
  // After the board's own handler, which would show the text of whatever was thrown.
  server.setErrorHandler(() => ({
    status: 500,
    body: { error: 'ERRORS.INTERNAL_SERVER_ERROR', message: errorTable.QUEUE_UNAVAILABLE.message },
  }));
  return server.registerPlugin();
}

type Context = Parameters<NonNullable<BoardHooks['before']>>[0];

/** Refuses what is not allowed; what is, is recorded before it happens. */
async function guardChange({ isWritable, onChange }: BoardOptions, context: Context): Promise<BeforeHookResult> {
  const { method, route, request } = context;
  if (method === 'get') return undefined;
  const action = allowedRoutes[route];
  if (!isWritable || action === undefined) return { allow: false, status: 405, message: NOT_HERE };
  const isUnfinished = action === 'clean-all' && !FINISHED.includes(String(request.params.queueStatus));
  if (isUnfinished) return { allow: false, status: 405, message: NOT_HERE };
  await onChange({ action, ...targetOf(request.params) });
  return undefined;
}

function targetOf(parameters: Record<string, unknown>): { queue: string | undefined; jobId: string | undefined } {
  const text = (name: string): string | undefined =>
    typeof parameters[name] === 'string' ? parameters[name] : undefined;
  return { queue: text('queueName'), jobId: text('jobId') };
}

/**
 * The page loads a font from a foreign site; the policy forbids it, and the request need not be
 * tried.
 */
export function withoutForeignAssets(html: string): string {
  return html.replace(/<link[^>]+href="https?:\/\/[^>]*>/g, '');
}
