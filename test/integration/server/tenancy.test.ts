/**
 * Tenancy, generated from the OpenAPI document: every operation, by every role of identity, with
 * ids and names of somebody else. Its answer is the one for ids and names that nobody has, it holds
 * nothing of theirs, and no row of theirs changes. A new operation joins by itself.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createIdentities } from '../../../src/db/identities.ts';
import { scopes } from '../../../src/domain/caller.ts';
import { jwtLoginOf, startJwtIssuer, type JwtIssuer } from '../../support/jwt-issuer.ts';
import { createApiUnderTest, tokenText, type ApiUnderTest } from './api-support.ts';
import { createOperations, type EveryOperation, type Operations, place } from './every-operation.ts';
import { plant, type Planted, rowsOfOthers, withoutNames } from './tenancy-support.ts';
import { uniqueName, useServer } from './support.ts';

/** Who asks, and the projects that this caller may name as its own. */
interface Role {
  readonly name: string;
  readonly orgId: string;
  readonly token: string;
  readonly ownProject: string;
}

interface Comparison {
  readonly projectId: string;
  readonly rows: readonly string[];
}

describe('what belongs to somebody else', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  let every: Operations;
  let issuer: JwtIssuer;
  let roles: readonly Role[];
  let theirs: Planted;
  let laterMs = 0;
  beforeAll(async () => {
    issuer = await startJwtIssuer();
    const jwtLogins = [jwtLoginOf(issuer, { orgId: 'globex', scope: 'admin' })];
    api = await createApiUnderTest(fixture(), { jwtLogins, now: () => new Date(Date.now() + laterMs) });
    every = createOperations(fixture(), api);
    roles = [...(await rolesOfOtherOrg()), ...(await rolesOfOtherProjects())];
    theirs = await plant(fixture(), api, every);
  }, 60_000);
  afterAll(async () => {
    await api.close();
    await issuer.close();
  });

  async function identity(orgId: string, scope: (typeof scopes)[number], projects: readonly string[] | null) {
    const identities = createIdentities(fixture().handle.db);
    const input = { name: uniqueName('machine'), scope, projects, onExisting: 'fail' as const, expiresAt: null };
    const made = await identities.create(orgId, input);
    const token = await identities.login({ clientId: made.identity.id, clientSecret: made.clientSecret });
    return token?.accessToken ?? '';
  }

  async function rolesOfOtherOrg(): Promise<readonly Role[]> {
    const found: Role[] = [];
    const role = { orgId: 'globex', ownProject: place.projectId };
    for (const scope of scopes) {
      found.push({ ...role, name: `token, ${scope}`, token: tokenText('globex', scope) });
      found.push({ ...role, name: `identity, ${scope}`, token: await identity('globex', scope, null) });
    }
    found.push({
      ...role,
      name: 'identity of a project of that name',
      token: await identity('globex', 'admin', [place.projectId]),
    });
    const jwt = await issuer.token();
    const login = await api.call('POST', '/api/v1/auth/jwt-auth/login', { body: { identityId: 'deploy', jwt } });
    found.push({ ...role, name: 'jwt', token: String(login.body.accessToken) });
    return found;
  }

  /** Of the same org: what belongs to a project of others does not exist for them either. */
  async function rolesOfOtherProjects(): Promise<readonly Role[]> {
    const found: Role[] = [];
    for (const scope of scopes) {
      const token = await identity('acme', scope, ['other']);
      found.push({ name: `other project, ${scope}`, orgId: 'acme', token, ownProject: 'other' });
    }
    return found;
  }

  const isOfOtherOrg = ({ orgId }: Role) => orgId !== 'acme';

  async function ask(role: Role, one: EveryOperation, things: Planted, projectId: string) {
    const { path, body } = things.requestFor(one, projectId);
    // A failed login slows down the next ones, whoever they name.
    if (one.operation.operationId.startsWith('auth.')) laterMs += 61_000;
    const headers = { authorization: `Bearer ${role.token}` };
    const answer = await api.call(one.method, path, { body, headers });
    return { sent: `${path} ${JSON.stringify(body ?? null)}`, ...answer };
  }

  /**
   * One request about what exists elsewhere, one about nothing; both as the same caller. `rows`:
   * theirs before anything was asked.
   */
  async function compare(role: Role, one: EveryOperation, { projectId, rows }: Comparison): Promise<void> {
    const what = [one.operation.operationId, role.name, projectId];
    const isRead = one.method === 'GET';
    const told = await ask(role, one, theirs, projectId);
    if (!isRead) {
      expect([...what, await rowsOfOthers(fixture(), role.orgId)]).toEqual([...what, rows]);
      await theirs.forgetAnswers(role.orgId);
    }
    const control = await ask(role, one, theirs.absent(), projectId);
    if (!isRead) await theirs.forgetAnswers(role.orgId);
    expect([...what, told.status, withoutNames(told)]).toEqual([...what, control.status, withoutNames(control)]);
    const text = JSON.stringify(told.body);
    const leaked = theirs.marks.filter((mark) => text.includes(mark) && !told.sent.includes(mark));
    expect([...what, leaked]).toEqual([...what, []]);
  }

  async function compareAll(role: Role, projects: readonly string[]): Promise<void> {
    const rows = await rowsOfOthers(fixture(), role.orgId);
    expect(rows.length).toBeGreaterThan(10);
    for (const one of every.operations())
      for (const projectId of projects) await compare(role, one, { projectId, rows });
    expect(await rowsOfOthers(fixture(), role.orgId)).toEqual(rows);
  }

  it('another org’s is as if it did not exist, for every operation and role', async () => {
    for (const role of roles.filter(isOfOtherOrg)) await compareAll(role, [role.ownProject]);
  }, 120_000);

  it('another project’s is as if it did not exist, for identities that are limited to projects', async () => {
    for (const role of roles.filter((one) => !isOfOtherOrg(one)))
      await compareAll(role, [role.ownProject, place.projectId]);
  }, 120_000);

  it('is found by its own org, so that the comparison would notice', async () => {
    const own: Role = { name: 'own', orgId: 'acme', token: tokenText('acme', 'admin'), ownProject: place.projectId };
    const reads = every.operations().filter(({ method, path }) => method === 'GET' && path.includes('{'));
    expect(reads.length).toBeGreaterThan(9);
    for (const one of reads) {
      const { status, body } = await ask(own, one, theirs, place.projectId);
      expect([one.operation.operationId, status]).toEqual([one.operation.operationId, 200]);
      expect(theirs.marks.some((mark) => JSON.stringify(body).includes(mark))).toBe(true);
    }
  });

  it('has an id or a name in every parameter that the document declares', () => {
    for (const one of every.operations())
      expect([one.path, theirs.requestFor(one, randomUUID()).path]).toEqual([
        one.path,
        expect.not.stringMatching(/%7B|\{/),
      ]);
  });
});
