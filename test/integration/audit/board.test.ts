/**
 * Every change on the board leaves one row with the person who is logged in, and nothing else
 * leaves one. A new route of Bull Board is refused until it is listed.
 */
import { appRoutes } from '@bull-board/api/dist/routes.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { parsePasswordHash } from '../../../src/domain/password-hash.ts';
import { hashPassword } from '../../../src/server/guard/scrypt.ts';
import { queueBackends } from '../../support/backends.ts';
import { useServer } from '../server/support.ts';

const passwords = { maria: 'the password of maria', ann: 'the password of ann' };
type Person = keyof typeof passwords;
const people = Object.keys(passwords) as readonly Person[];

/** By route, as Bull Board names them. */
const actions: Readonly<Record<string, string>> = {
  '/api/queues/:queueName/:jobId/retry': 'board.retry',
  '/api/queues/:queueName/retry/:queueStatus': 'board.retry-all',
  '/api/queues/:queueName/pause': 'board.pause',
  '/api/queues/:queueName/resume': 'board.resume',
  '/api/queues/pause': 'board.pause-all',
  '/api/queues/resume': 'board.resume-all',
  '/api/queues/:queueName/:jobId/clean': 'board.clean',
  '/api/queues/:queueName/clean/:queueStatus': 'board.clean-all',
};

const routes = appRoutes.api.flatMap(({ method, route }) =>
  [method].flat().flatMap((one) => [route].flat().map((path) => ({ method: one.toUpperCase(), path }))),
);

describe.each(queueBackends)('the board on $name', ({ redisUrl }) => {
  const fixture = useServer(redisUrl);
  let url: string;
  beforeAll(async () => {
    const ann = parsePasswordHash(await hashPassword(passwords.ann));
    url = await fixture().start({
      isBoardWritable: true,
      login: { user: 'maria', password: passwords.maria },
      operators: ann === undefined ? [] : [{ name: 'ann', password: ann }],
    });
  });
  afterAll(async () => {
    await Promise.all((['validate', 'sync', 'rotate'] as const).map((kind) => fixture().backend.queue(kind).resume()));
  });

  const send = async (person: Person, { method, path }: (typeof routes)[number], jobId: string) => {
    const filled = path
      .replace(':queueName', 'validate')
      .replace(':jobId', jobId)
      .replace(':queueStatus', 'completed')
      .replace(/:\w+/, 'x');
    const authorization = `Basic ${Buffer.from(`${person}:${passwords[person]}`).toString('base64')}`;
    const answer = await fetch(`${url}/board${filled}`, { method, headers: { authorization } });
    await answer.text();
    return answer.status;
  };

  const rowsSince = async (since: number) => fixture().handle.client`
    select org_id, actor, via, action, subject, status_code from keyferry.audit_log
    where id > ${since} order by id`;
  const latest = async () => {
    const [row] = await fixture().handle.client`select coalesce(max(id), 0)::int as id
      from keyferry.audit_log`;
    return Number(row?.['id']);
  };

  it('records who changed what and how it ended, and refuses everything else', async () => {
    const changing = routes.filter(({ method }) => method !== 'GET');
    expect(changing.length).toBeGreaterThan(Object.keys(actions).length);
    expect(Object.keys(actions).filter((path) => !changing.some((one) => one.path === path))).toEqual([]);
    for (const [index, route] of changing.entries()) {
      const job = await fixture().backend.queue('validate').add('validate', { connectionId: randomUUID() });
      const person = people[index % people.length] ?? 'ann';
      const since = await latest();
      const status = await send(person, route, job.id ?? '');
      const action = actions[route.path];
      const subject = ['validate', ...(route.path.includes(':jobId') ? [job.id] : [])].join('/');
      const row = { org_id: null, actor: person, via: 'board', action, status_code: status };
      const isOfQueue = route.path.includes(':queueName');
      expect([route, await rowsSince(since)]).toEqual([
        route,
        action === undefined ? [] : [{ ...row, subject: isOfQueue ? subject : null }],
      ]);
      if (action === undefined) expect([route, status]).toEqual([route, 405]);
    }
  });

  it('records no look', async () => {
    const job = await fixture().backend.queue('validate').add('validate', { connectionId: randomUUID() });
    const since = await latest();
    for (const route of routes.filter(({ method }) => method === 'GET')) await send('ann', route, job.id ?? '');
    expect(await rowsSince(since)).toEqual([]);
  });

  it('changes nothing that cannot be recorded', async () => {
    const audit = { record: () => Promise.reject(new Error('no trail')), settle: () => Promise.resolve() };
    const other = await fixture().start({ isBoardWritable: true, audit });
    const answer = await fetch(`${other}/board/api/queues/rotate/pause`, { method: 'PUT' });
    expect(answer.status).toBe(500);
    expect(await fixture().backend.queue('rotate').isPaused()).toBe(false);
  });
});
