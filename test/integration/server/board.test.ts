import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { queueBackends } from '../../support/backends.ts';
import { useServer } from './support.ts';

describe.each(queueBackends)('the board on $name', ({ redisUrl }) => {
  const fixture = useServer(redisUrl);
  const marker = `MARKER${'x'.repeat(34)}`;

  it('serves its page, its assets and all three queues under /board', async () => {
    const url = await fixture().start();
    const page = await fetch(`${url}/board`);
    const html = await page.text();
    expect(page.status).toBe(200);
    expect(html).toContain('<base href="/board/"');
    expect(html).not.toContain('fonts.googleapis');
    const script = /src="(static\/js\/main[^"]+)"/.exec(html)?.[1] ?? '';
    expect((await fetch(`${url}/board/${script}`)).status).toBe(200);
    const { queues } = (await (await fetch(`${url}/board/api/queues`)).json()) as { queues: { name: string }[] };
    expect(queues.map((queue) => queue.name).sort()).toEqual(['rotate', 'sync', 'validate']);
  });

  it('redirects /board/ to /board', async () => {
    const url = await fixture().start();
    const answer = await fetch(`${url}/board/`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([308, '/board']);
  });

  it('shows nothing that a foreign producer wrote into a job', async () => {
    const { backend, start } = fixture();
    const url = await start();
    const queue = backend.queue('sync');
    const syncId = randomUUID();
    const job = await queue.add(
      `name ${marker}`,
      { syncId, note: marker },
      { deduplication: { id: marker }, priority: 3 },
    );
    await job.log(marker);
    await job.updateProgress({ note: marker });
    const routes = [
      '/api/queues?activeQueue=sync&status=latest',
      `/api/queues/sync/${job.id ?? ''}`,
      `/api/queues/sync/${job.id ?? ''}/logs`,
      `/api/queues/sync/${job.id ?? ''}/flow`,
      '/api/job-schedulers',
    ];
    for (const route of routes) {
      const answer = await fetch(`${url}/board${route}`);
      expect([route, answer.status]).toEqual([route, 200]);
      expect(await answer.text()).not.toContain(marker);
    }
    const shown = (await (await fetch(`${url}/board/api/queues/sync/${job.id ?? ''}`)).json()) as {
      job: { data: unknown; opts: unknown };
    };
    expect(shown.job.data).toEqual({ syncId, hiddenFields: 1 });
  });

  it('links a job to the page of its object, and a job without one to the overview', async () => {
    const { backend, start } = fixture();
    const url = await start();
    const id = randomUUID();
    const linkOf = async (kind: 'validate' | 'sync' | 'rotate', data: object) => {
      const job = await backend.queue(kind).add(kind, data);
      const answer = await fetch(`${url}/board/api/queues/${kind}/${job.id ?? ''}`);
      return ((await answer.json()) as { job: { externalUrl: { href: string } } }).job.externalUrl.href;
    };
    expect(await linkOf('validate', { connectionId: id })).toBe(`/connections/${id}`);
    expect(await linkOf('sync', { syncId: id })).toBe(`/syncs/${id}`);
    expect(await linkOf('rotate', { rotationId: id })).toBe(`/rotations/${id}`);
    expect(await linkOf('sync', { syncId: `//${marker}` })).toBe('/');
  });

  it('keeps the reason of a foreign error private and shows ours', async () => {
    const { backend, start } = fixture();
    const url = await start();
    const ours = 'AWS_ACCESS_DENIED: AWS denied ssm:PutParameter.';
    const reasons = [`failed query: update x params: ${marker}`, ours];
    const ids = await failJobs(backend, reasons);
    const shown = await Promise.all(
      ids.map(async (id) => (await fetch(`${url}/board/api/queues/validate/${id}`)).text()),
    );
    expect(shown.join()).not.toContain(marker);
    expect(shown[1]).toContain(ours);
  });

  it('refuses every change while it is read-only', async () => {
    const { backend, start } = fixture();
    const url = await start();
    const job = await backend.queue('validate').add('validate', { connectionId: randomUUID() });
    const routes = ['pause', 'empty', 'obliterate', `${job.id ?? ''}/retry`, `${job.id ?? ''}/clean`];
    const statuses = await Promise.all(
      routes.map(async (route) => (await fetch(`${url}/board/api/queues/validate/${route}`, { method: 'PUT' })).status),
    );
    expect(statuses).toEqual(routes.map(() => 405));
    expect(await backend.queue('validate').isPaused()).toBe(false);
  });

  it('retries a job when it is writable, with an audit entry first, and still throws no wish away', async () => {
    const { backend, start } = fixture();
    const url = await start({ isBoardWritable: true });
    const [id = ''] = await failJobs(backend, ['SYNC_PARTIAL: Some entries were not synced.']);
    const retried = await fetch(`${url}/board/api/queues/validate/${id}/retry`, { method: 'PUT' });
    const refused = ['empty', 'obliterate', 'clean/waiting', 'promote'].map(
      async (route) => (await fetch(`${url}/board/api/queues/validate/${route}`, { method: 'PUT' })).status,
    );
    expect([retried.status, ...(await Promise.all(refused))]).toEqual([204, 405, 405, 405, 405]);
    const [row] = await fixture().handle.client`select actor, via, action, subject
      from keyferry.audit_log`;
    expect(row).toEqual({ actor: 'local operator', via: 'board', action: 'board.retry', subject: `validate/${id}` });
    expect(await (await backend.queue('validate').getJob(id))?.getState()).not.toBe('failed');
  });

  type Backend = ReturnType<typeof fixture>['backend'];

  /** Adds one job per reason and fails it with that reason; returns their ids. */
  async function failJobs(backend: Backend, reasons: readonly string[]): Promise<string[]> {
    const queue = backend.queue('validate');
    await queue.drain();
    const jobs = await Promise.all(
      reasons.map((reason) => queue.add('validate', { connectionId: randomUUID(), reason })),
    );
    const ids = jobs.map((job) => job.id ?? '');
    const worker = backend.worker(
      'validate',
      (job) => Promise.reject(new Error((job.data as { reason: string }).reason)),
      { concurrency: 1, name: 'test' },
    );
    const failed = new Promise<void>((resolve) => {
      const open = new Set(ids);
      worker.on('failed', (job) => {
        open.delete(job?.id ?? '');
        if (open.size === 0) resolve();
      });
    });
    void worker.run();
    await failed;
    await worker.close();
    return ids;
  }
});
