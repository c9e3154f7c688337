import { randomUUID } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { createLiveWorkers } from '../../../src/db/live-workers.ts';
import { seedManySyncs, seedStates, type Seeded } from './seed.ts';
import { useServer } from './support.ts';

describe('the status page', () => {
  const fixture = useServer(undefined);
  let url: string;
  let seeded: Seeded;
  beforeAll(async () => {
    const { handle, start } = fixture();
    seeded = await seedStates(handle.client);
    url = await start();
  });

  async function read(path: string): Promise<string> {
    const answer = await fetch(`${url}${path}`);
    expect([path, answer.status]).toEqual([path, 200]);
    return (await answer.text()).replace(/\s+/g, ' ');
  }

  it('shows what needs attention with its cause and its fix', async () => {
    const html = await read('/');
    expect(html).toContain(`href="/connections/${seeded.invalidConnection}"`);
    expect(html).toContain('AWS refused AssumeRole on arn:aws:iam::444455556666:role/billing.');
    expect(html).toContain('Compare the role with <code>keyferry policy trust</code>');
    expect(html).toContain('data-problems="3"');
  });

  it('dates a trouble from its beginning, over runs that end the same, not from the last change of the row', async () => {
    const { client } = fixture().handle;
    const id = seeded.partialSync;
    const since = async () => {
      const [row] = await client<{ since: Date; days: number }[]>`
        select status_since as since, extract(day from now() - status_since)::int as days
        from keyferry.syncs where id = ${id}`;
      return row;
    };
    await client`update keyferry.syncs set sync_status = 'succeeded', drift = 'none'
      where id = ${id}`;
    await client`update keyferry.syncs
      set updated_at = now() - interval '90 days', drift = 'drifted' where id = ${id}`;
    expect(await since()).toMatchObject({ days: 0 });
    expect(await read('/')).toMatch(/prod-parameters(?:(?!<\/li>).)*<div class="when"><time [^>]*>now</);
    await client`update keyferry.syncs set status_since = now() - interval '3 days'
      where id = ${id}`;
    await client`update keyferry.syncs set sync_status = 'running' where id = ${id}`;
    await client`update keyferry.syncs set sync_status = 'succeeded', updated_at = now()
      where id = ${id}`;
    expect(await since()).toMatchObject({ days: 3 });
    expect(await read('/')).toMatch(/prod-parameters(?:(?!<\/li>).)*<div class="when"><time [^>]*>3 d ago</);
    await client`update keyferry.syncs set sync_status = 'partial', drift = 'drifted'
      where id = ${id}`;
    expect(await since()).toMatchObject({ days: 0 });
  });

  it('lists what a dead connection blocks with that connection, not as alarms of its own', async () => {
    const { client } = fixture().handle;
    await client`update keyferry.connections set status = 'invalid'
      where id = ${seeded.validConnection}`;
    await client`update keyferry.syncs
      set sync_status = 'blocked', status_code = 'CONNECTION_INVALID'
      where id = ${seeded.partialSync}`;
    const html = await read('/');
    await client`update keyferry.connections set status = 'valid'
      where id = ${seeded.validConnection}`;
    const afterwards = await read('/');
    await client`update keyferry.syncs set sync_status = 'partial', status_code = 'SYNC_PARTIAL'
      where id = ${seeded.partialSync}`;
    const item = `<a class="name" href="/syncs/${seeded.partialSync}">prod-parameters</a> <span`;
    expect(html).toContain(
      `It blocks <a href="/connections/${seeded.validConnection}#panel-used-by">1 sync or rotation`,
    );
    expect(html).not.toContain(item);
    expect(html).not.toContain('shown');
    expect(afterwards).toContain(item);
  });

  it('counts what a connection without permissions denies as one trouble with the connection', async () => {
    const { client } = fixture().handle;
    const item = `<a class="name" href="/syncs/${seeded.partialSync}">prod-parameters</a> <span`;
    await client`update keyferry.syncs
      set sync_status = 'blocked', status_code = 'AWS_ACCESS_DENIED'
      where id = ${seeded.partialSync}`;
    const alone = await read('/');
    await client`update keyferry.connections set status = 'degraded'
      where id = ${seeded.validConnection}`;
    const grouped = await read('/');
    await client`update keyferry.connections set status = 'valid'
      where id = ${seeded.validConnection}`;
    await client`update keyferry.syncs set sync_status = 'partial', status_code = 'SYNC_PARTIAL'
      where id = ${seeded.partialSync}`;
    expect(alone).toContain(item);
    expect(grouped).not.toContain(item);
    expect(grouped).toContain(`<a href="/connections/${seeded.validConnection}#panel-used-by">1 sync or rotation`);
  });

  it('shows whether a worker lives', async () => {
    const { client } = fixture().handle;
    expect(await read('/')).toContain('start one with <code>keyferry worker</code>');
    await client`update keyferry.installation set seen_at = now() - interval '20 seconds'`;
    const html = await read('/');
    await client`update keyferry.installation set seen_at = null`;
    expect(html).toMatch(/<dt>workers<\/dt>.{0,200}running.{0,60}last seen <time [^>]*>2\d s ago/);
    expect(html).not.toContain('start one with');
  });

  it('lists the workers with version, queues and what they run, until an hour after their end', async () => {
    const { client, db } = fixture().handle;
    const workers = createLiveWorkers(db);
    const report = { version: '1.2.3', queues: ['validate', 'sync'], running: { sync: 3 } } as const;
    await workers.report(randomUUID(), { ...report, name: 'busy-1' });
    const [ended, restarted, gone] = [randomUUID(), randomUUID(), randomUUID()];
    await workers.report(ended, { ...report, name: 'ended-1' });
    await workers.stopped(ended);
    await workers.report(gone, { ...report, name: 'gone-1' });
    await client`update keyferry.installation set workers =
      jsonb_set(workers, array[${gone}, 'seenAt'], to_jsonb(now() - interval '50 seconds'))`;
    const html = await read('/');
    // Of the same name as one before, which no longer runs then.
    await workers.report(restarted, { ...report, name: 'gone-1' });
    await client`update keyferry.installation set workers =
      jsonb_set(workers, array[${ended}, 'seenAt'], to_jsonb(now() - interval '61 minutes'))`;
    await workers.report(restarted, { ...report, name: 'gone-1' });
    const [kept] = await client`select count(*)::int as workers
      from keyferry.installation, jsonb_object_keys(workers)`;
    await client`update keyferry.installation set workers = '{}'`;
    const row = (name: string, state: string) =>
      new RegExp(`>${name}</td>.{0,400}</svg ?>${state}</span.{0,60}>1\\.2\\.3</td>.{0,60}>validate, sync</td>`);
    expect(html).toMatch(row('busy-1', 'running'));
    expect(html).toMatch(/>sync 3<\/td>/);
    expect(html).toMatch(row('ended-1', 'stopped'));
    expect(html).toMatch(row('gone-1', 'silent'));
    expect(kept).toEqual({ workers: 2 });
  });

  it('counts no worker as running that ended in order, however lately it counted for the guard', async () => {
    const { client, db } = fixture().handle;
    const workers = createLiveWorkers(db);
    const id = randomUUID();
    await workers.report(id, { name: 'only-1', version: '1.2.3', queues: ['sync'], running: {} });
    await client`update keyferry.installation set seen_at = now()`;
    await workers.stopped(id);
    const html = await read('/');
    await client`update keyferry.installation set seen_at = null, workers = '{}'`;
    expect(html).toContain('start one with <code>keyferry worker</code>');
  });

  it('says of a defect which run to look for in the log', async () => {
    const { client } = fixture().handle;
    const [run] = await client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason,
      status,
        error_code, error_message)
      values ('sync', ${seeded.partialSync}, 'acme', 1, 'changed', 'failed', 'BUG_UNEXPECTED',
        'An unexpected error occurred.') returning id`;
    const id = String(run?.['id']);
    const html = await read('/runs');
    await client`delete from keyferry.runs where id = ${id}`;
    expect(html).toContain(`find run <code>${id}</code> in the worker’s log`);
  });

  it('shows a drifted entry as drifted, and a rotation without a key as one that has not run', async () => {
    const { client } = fixture().handle;
    await client`update keyferry.sync_entries set drift = 'value' where key = 'KEY_7'`;
    const sync = await read(`/syncs/${seeded.partialSync}`);
    await client`update keyferry.sync_entries set drift = null where key = 'KEY_7'`;
    expect(sync).toMatch(
      /<span class="chip warn" ?>(?:(?!<tr>).)*drifted<\/span ?><\/td> <td class="wide mono">\/app\/prod\/APP_KEY_7</,
    );
    await client`update keyferry.rotations set phase = 'idle', active_access_key_id = null`;
    const rotation = await read(`/rotations/${seeded.blockedRotation}`);
    await client`update keyferry.rotations
      set phase = 'publishing', active_access_key_id = 'AKIAEXAMPLENEW000001'`;
    expect(rotation).toContain('No key yet: the first rotation makes one.');
    expect(rotation).not.toContain('nothing to do until');
  });

  it('links a run to its job, and gives each command the name of its object', async () => {
    const { client } = fixture().handle;
    await client`update keyferry.runs set job_id = 'sync:1' where kind = 'sync'`;
    expect(await read(`/syncs/${seeded.partialSync}`)).toContain('href="/board/queue/sync/sync%3A1"');
    await client`update keyferry.syncs
      set sync_status = 'succeeded', status_code = null, status_message = null
      where id = ${seeded.partialSync}`;
    const html = await read('/');
    await client`update keyferry.syncs set sync_status = 'partial', status_code = 'SYNC_PARTIAL'
      where id = ${seeded.partialSync}`;
    expect(html).toContain('<code>keyferry sync run prod-parameters</code>');
  });

  it('shows the statements that a sync without permissions needs, to copy', async () => {
    const { client } = fixture().handle;
    const action = 'ssm:DeleteParameters';
    const statement = {
      Effect: 'Allow',
      Action: [action],
      Resource: 'arn:aws:ssm:eu-west-1:111122223333:parameter/a/*',
    };
    const result = JSON.stringify({ missing: [action], statements: [statement] });
    const page = `/syncs/${seeded.partialSync}`;
    expect(await read(page)).not.toContain(action);
    await client.begin(async (sql) => {
      await sql`
        insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status, error_code,
          started_at, finished_at, result)
        values ('sync', ${seeded.partialSync}, 'acme', 1, 'requested', 'blocked',
          'AWS_ACCESS_DENIED', now() + interval '1 minute', now() + interval '2 minutes',
          ${result}::text::jsonb)`;
      await sql`update keyferry.syncs set sync_status = 'blocked', status_code = 'AWS_ACCESS_DENIED'
        where id = ${seeded.partialSync}`;
    });
    const html = await read(page);
    await client`update keyferry.syncs set sync_status = 'partial', status_code = 'SYNC_PARTIAL'
      where id = ${seeded.partialSync}`;
    await client`
      delete from keyferry.runs
      where error_code = 'AWS_ACCESS_DENIED' and status = 'blocked'`;
    expect(html).toContain('<summary>Statement to add</summary>');
    expect(html).toContain(`&quot;${action}&quot;`);
  });

  it('shows a guard, since when it holds, and the command that ends it', async () => {
    const { client } = fixture().handle;
    expect(await read('/')).not.toContain('is guarded');
    const [row] = await client<{ id: string }[]>`
      update keyferry.installation set guard_reason = 'server-changed', guarded_at = now()
      returning id::text`;
    const html = await read('/');
    await client`update keyferry.installation set guard_reason = null, guarded_at = null`;
    expect(html).toContain('This installation is guarded');
    expect(html).toMatch(/blocked.{0,40} since .{0,200}The database runs on another PostgreSQL server/);
    expect(html).toContain(
      `keyferry restore accept --as moved|restored|clone --confirm ${row?.id.slice(0, 8) ?? 'without an id'}`,
    );
  });

  it('shows a connection’s checks and the statement to add', async () => {
    const html = await read(`/connections/${seeded.validConnection}`);
    expect(html).toContain('<code>ssm:PutParameter</code>');
    expect(html).toContain('&quot;Effect&quot;: &quot;Allow&quot;');
    expect(html).toContain(`href="/syncs/${seeded.partialSync}"`);
  });

  it('shows a sync’s plan, its entries with trouble first, and its runs', async () => {
    const html = await read(`/syncs/${seeded.partialSync}`);
    expect(html).toContain('1 change, 25 unchanged');
    expect(html).toMatch(/<td class="wide">\s*1 change planned, 25 unchanged/);
    expect(html.indexOf('/app/prod/APP_KEY_4')).toBeLessThan(html.indexOf('/app/prod/APP_KEY_1<'));
    expect(html).toContain('revision 6 of 7');
    expect(html).toContain('ssm.PutParameter 24');
  });

  it('names no past moment as the next one', async () => {
    const { client } = fixture().handle;
    const [list, one] = [await read('/rotations'), await read(`/rotations/${seeded.blockedRotation}`)];
    await client`update keyferry.syncs set next_due_at = now() - interval '3 minutes'
      where id = ${seeded.partialSync}`;
    const sync = await read(`/syncs/${seeded.partialSync}`);
    await client`update keyferry.syncs set next_due_at = now() + interval '20 minutes'
      where id = ${seeded.partialSync}`;
    expect(list).toMatch(/30 d ago<\/time> ?<\/td> <td class="nowrap" data-title="next">(?:(?!ago).)*<\/td> ?<\/tr>/);
    expect(one).toMatch(/<dt>Next rotation<\/dt> <dd>(?:(?!ago).)*<\/dd> ?<dt>Next step/);
    expect(sync).toMatch(/<dt>Next due<\/dt> <dd>(?:(?!ago).)*due now/);
  });

  it('shows a rotation’s phase, keys and timeline', async () => {
    const html = await read(`/rotations/${seeded.blockedRotation}`);
    expect(html).toContain('<li aria-current="step"><span>publishing</span></li>');
    expect(html).toContain('AKIAEXAMPLEOLD000001');
    expect(html).toContain('key answered for the right user');
  });

  it('finds by name, account and path, and filters by state and org', async () => {
    expect(await read('/connections?q=4444')).toContain('billing');
    expect(await read('/connections?q=4444')).not.toContain('prod-aws');
    expect(await read('/syncs?q=%2Fapp%2Fprod')).toContain('prod-parameters');
    expect(await read('/syncs?status=failed')).toContain('No sync matches.');
    expect(await read('/connections?org=globex')).not.toContain('prod-aws');
    expect(await read('/syncs?q=%25')).toContain('No sync matches.');
  });

  it('escapes names, and takes nothing from the address into its markup', async () => {
    await fixture().handle.client`update keyferry.connections
        set description = '<script>alert(1)</script>', name = 'a"><img src=x>'
        where id = ${seeded.invalidConnection}`;
    const html = await read(`/connections/${seeded.invalidConnection}`);
    expect(html).not.toContain('<img src=x>');
    expect(html).not.toContain('<script>alert');
    expect(await read('/syncs?q=%22%3E%3Cscript%3E1&status=%3Cx%3E&org=%22%3E')).not.toContain('<script>1');
  });

  it('answers odd addresses with a page that says what to do', async () => {
    for (const path of ['/connections/none', '/syncs/00000000-0000-4000-8000-000000000000']) {
      const answer = await fetch(`${url}${path}`);
      expect([answer.status, (await answer.text()).includes('There is nothing at this address')]).toEqual([404, true]);
    }
    const nowhere = await fetch(`${url}/synks`, { headers: { accept: 'text/html' } });
    expect([nowhere.status, (await nowhere.text()).includes('There is nothing at this address')]).toEqual([404, true]);
    const program = await fetch(`${url}/synks`);
    expect([program.status, program.headers.get('content-type')]).toEqual([404, 'application/json']);
    expect((await fetch(`${url}/syncs?page=-1&page=x`)).status).toBe(200);
    expect(await (await fetch(`${url}/syncs/?q=none`)).text()).toContain('<h1');
  });

  it('allows its own style and script by hash, and nothing else', async () => {
    const answer = await fetch(url);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'/);
    expect(await answer.text()).not.toMatch(/ style="|https?:\/\/(?!www\.w3\.org)[^"]*\.(css|js)/);
  });

  it('never shows a ciphertext, a fingerprint or the state of a phase', async () => {
    const { client } = fixture().handle;
    await client`update keyferry.connections set secret_access_key = 'v1.k.MARKER'`;
    await client`update keyferry.rotation_keys set secret = 'v1.k.MARKER'`;
    await client`update keyferry.sync_entries set fingerprint = 'MARKER'`;
    await client`update keyferry.rotations set phase_state = '{"note":"MARKER"}'`;
    for (const path of [
      '/',
      '/connections',
      `/connections/${seeded.validConnection}`,
      `/syncs/${seeded.partialSync}`,
      `/rotations/${seeded.blockedRotation}`,
      '/runs',
    ]) {
      expect(await read(path)).not.toContain('MARKER');
    }
  });

  it('says what to do when the database is away', async () => {
    const { start, dependencies } = fixture();
    const status = { ...dependencies().status, overview: () => Promise.reject(new Error('secret text of a driver')) };
    const answer = await fetch(await start({ status: status as ReturnType<typeof dependencies>['status'] }));
    const html = await answer.text();
    expect([answer.status, html.includes('secret text'), html.includes('BUG_UNEXPECTED')]).toEqual([500, false, true]);
  });

  it('pages through 10,000 syncs', async () => {
    await seedManySyncs(fixture().handle.client, 10_000);
    const html = await read('/syncs?page=200');
    expect(html).toContain('9,951–10,000 of 10,001');
    expect(await read('/syncs?q=sync-9999')).toContain('1–1 of 1');
  });
});
