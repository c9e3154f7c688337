/** Events that a copied database still has to deliver: the original delivers them itself. */
import { sql } from 'drizzle-orm';
import { beforeEach, expect, test } from 'vitest';

import { createInstallationGuard } from '../../../src/db/installation-guard.ts';
import { createOutbox } from '../../../src/db/outbox.ts';
import { createWebhooks } from '../../../src/db/webhooks.ts';
import { newWebhookShape } from '../../../src/domain/webhooks.ts';
import { useTestDatabase } from '../../support/postgres.ts';
import { useStage } from '../../support/use-stage.ts';

const database = useTestDatabase();
const stage = useStage(database);

const guard = () => createInstallationGuard(stage.handle.db);
const claim = () => createOutbox(stage.handle.db, stage.encryption).claim({ busy: [], hasOperator: false });
const webhooks = () => createWebhooks(stage.handle.db, stage.encryption, { hosts: ['127.0.0.1'] });

/** A webhook with one event that is due. */
beforeEach(async () => {
  const { db } = stage.handle;
  await db.execute(sql`delete from keyferry.webhooks`);
  await db.execute(sql`delete from keyferry.notifications`);
  await db.execute(sql`
    update keyferry.installation
    set guard_reason = null, guarded_at = null, database_name = null, system_identifier = null`);
  await guard().check({ name: undefined, seenCounter: 0, isGuardAsked: false });
  const shape = newWebhookShape.parse({ name: 'chat', url: 'http://127.0.0.1:9/hook' });
  const { webhook } = await webhooks().create('acme', shape);
  await db.execute(sql`
    insert into keyferry.notifications (webhook_id, event, subject_id, payload)
    values (${webhook.id}, 'sync.failed', gen_random_uuid(), '{}')`);
});

test('the installation that the database belongs to delivers', async () => {
  expect(await claim()).toHaveLength(1);
});

test('a guarded one delivers nothing, until it is accepted', async () => {
  await guard().raise('asked');
  expect(await claim()).toEqual([]);
  await guard().accept({ as: 'restored', actor: 'ann', name: undefined });
  expect(await claim()).toHaveLength(1);
});

test('a copy delivers nothing, also before its first worker', async () => {
  await stage.handle.db.execute(sql`update keyferry.installation set database_name = 'keyferry/1'`);
  expect(await claim()).toEqual([]);
});

test('a clone keeps neither webhooks nor their events', async () => {
  await guard().raise('database-changed');
  await guard().accept({ as: 'clone', actor: 'ann', name: 'staging' });
  const [left] = await stage.handle.db.execute(sql`
    select (select count(*)::int from keyferry.webhooks) as webhooks,
      (select count(*)::int from keyferry.notifications) as events`);
  expect(left).toEqual({ webhooks: 0, events: 0 });
});
