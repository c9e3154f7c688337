/**
 * An external ID is one org's: its own id, also before there is such an org, or one that an
 * operator gave it first.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createCallLog } from '../../../src/domain/call-log.ts';
import type { ConnectionRow } from '../../../src/db/engine/subjects.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { checkConnection } from '../../../src/workers/validate/checks.ts';
import { useTestDatabase } from '../../support/postgres.ts';

const database = useTestDatabase();
let stores: OpenStores;
beforeAll(() => {
  stores = openStores({ databaseUrl: database().url, encryptionKeys: [{ id: 'test', key: Buffer.alloc(32, 7) }] });
});
afterAll(() => stores.close());

async function connect(orgId: string, externalId: string): Promise<ConnectionRow> {
  const { connection } = await stores.connections.create(orgId, {
    name: `c-${randomUUID().slice(0, 8)}`,
    region: 'eu-west-1',
    createdVia: 'operator',
    requestedBy: 'test',
    credentials: { method: 'assume-role', roleArn: 'arn:aws:iam::222222222222:role/keyferry', externalId },
  });
  return connection;
}

/** Validates with an AWS that must not be asked; returns the codes of the checks. */
async function codesOf(row: ConnectionRow): Promise<readonly (string | undefined)[]> {
  const asked = () => Promise.reject(new Error('AWS was asked'));
  const { checks } = await checkConnection(
    {
      aws: { verify: asked, baseIdentity: asked, refusesExternalId: asked } as never,
      probes: {} as never,
      isForeignExternalId: stores.orgs.isForeignExternalId,
    },
    {
      credentials: await stores.connections.credentialsOf(row),
      region: row.region,
      knownAccountId: null,
      externalIdDuty: () => Promise.resolve({ is: 'required' }),
      earlierExternalIdCheck: undefined,
      uses: [],
      narrowsAccessKey: false,
      withSimulation: false,
    },
    {
      signal: AbortSignal.timeout(5_000),
      calls: createCallLog(),
      beforeMutation: () => Promise.resolve(),
      subjectId: row.id,
    },
  );
  return checks.map((check) => check.code);
}

test('the id of an org that comes later is taken back from whom an operator gave it to', async () => {
  const early = await connect('org-a', 'org-later');
  await expect(codesOf(early)).rejects.toThrow('AWS was asked');
  const own = await connect('org-later', 'org-later');
  expect(await codesOf(early)).toEqual(['CONNECTION_EXTERNAL_ID_TAKEN']);
  await expect(codesOf(own)).rejects.toThrow('AWS was asked');
});

test('of two orgs with one external ID, the first has it', async () => {
  const first = await connect('org-c', 'shared');
  const second = await connect('org-d', 'shared');
  await expect(codesOf(first)).rejects.toThrow('AWS was asked');
  expect(await codesOf(second)).toEqual(['CONNECTION_EXTERNAL_ID_TAKEN']);
});
