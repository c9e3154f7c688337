/** Every operation of the OpenAPI document, with subjects to try it on and a valid body. */
import { randomUUID } from 'node:crypto';

import { createIdentities } from '../../../src/db/identities.ts';
import { assumeRole, type ApiUnderTest, type Operation } from './api-support.ts';
import { uniqueName, type ServerFixture } from './support.ts';

export interface Ids {
  readonly connectionId: string;
  readonly syncId: Readonly<Record<string, string>>;
  readonly rotationId: string;
  readonly runId: string;
  readonly webhookId: string;
  readonly names: Readonly<Record<string, string>>;
  readonly login?: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly accessToken: string;
    readonly jwt: string;
  };
}

/** Of a folder that has a source. */
const SOURCED = '/sourced';

export const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };

export interface EveryOperation {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

export type Operations = ReturnType<typeof createOperations>;

/** `jwt`: one that logs in under the name `deploy`, where the API accepts any. */
export function createOperations(fixture: ServerFixture, api: ApiUnderTest, jwt = 'x') {
  function operations(): EveryOperation[] {
    return Object.entries(api.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    );
  }

  /** Deletions last: each operation gets subjects of its own anyhow. */
  function inSafeOrder<T extends { method: string }>(all: readonly T[]): readonly T[] {
    return [...all].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
  }

  async function createSubjects(): Promise<Ids> {
    const connection = await api.call('POST', '/api/v1/app-connections/aws', { body: assumeRole(uniqueName('c')) });
    const connectionId = String(connection.body.appConnection.id);
    const create = (operation: string, path: string) =>
      api.call('POST', path, { body: validBody(operation, { connectionId } as Ids) });
    const ssm = await create('parameterStoreSync.create', '/api/v1/secret-syncs/aws-parameter-store');
    const sm = await create('secretsManagerSync.create', '/api/v1/secret-syncs/aws-secrets-manager');
    const rotation = await create('rotation.create', '/api/v2/secret-rotations/aws-iam-user-secret');
    const webhook = await create('webhook.create', '/api/v1/webhooks');
    await api.call('PUT', '/api/v1/folders/source', { body: validBody('source.set', { connectionId } as Ids) });
    const [run] = await fixture.handle
      .client`insert into keyferry.runs (kind, subject_id, org_id, attempt, reason, status)
        values ('validate', ${connectionId}, 'acme', 1, 'created', 'succeeded') returning id`;
    const lone = await api.call('POST', '/api/v1/app-connections/aws', { body: assumeRole(uniqueName('lone')) });
    const identities = createIdentities(fixture.handle.db);
    const { identity, clientSecret } = await identities.create('acme', {
      name: uniqueName('identity'),
      scope: 'write',
      projects: null,
      onExisting: 'fail',
      expiresAt: null,
    });
    const token = await identities.login({ clientId: identity.id, clientSecret });
    return {
      login: { clientId: identity.id, clientSecret, accessToken: token?.accessToken ?? '', jwt },
      // Nothing uses this one, so that it can be deleted.
      connectionId: String(lone.body.appConnection.id),
      syncId: {
        'aws-parameter-store': String(ssm.body.secretSync.id),
        'aws-secrets-manager': String(sm.body.secretSync.id),
      },
      rotationId: String(rotation.body.secretRotation.id),
      runId: String(run?.id),
      webhookId: String(webhook.body.webhook.id),
      names: {
        'connection-name': lone.body.appConnection.name,
        'aws-parameter-store': ssm.body.secretSync.name,
        'aws-secrets-manager': sm.body.secretSync.name,
        'rotation-name': rotation.body.secretRotation.name,
      },
    };
  }

  function fill(path: string, operation: Operation, ids: Ids): string {
    const destination = path.includes('parameter-store') ? 'aws-parameter-store' : 'aws-secrets-manager';
    const name = Object.entries(ids.names).find(([part]) => path.includes(part))?.[1] ?? 'nobody';
    const filled = path
      .replace('{connectionId}', ids.connectionId)
      .replace('{syncId}', ids.syncId[destination] ?? '')
      .replace('{rotationId}', ids.rotationId)
      .replace('{runId}', ids.runId)
      .replace('{webhookId}', ids.webhookId)
      .replace('{order}', 'pause')
      .replace('{name}', name);
    const values: Record<string, string> = { subjectId: randomUUID(), importBehavior: 'prioritize-source', ...place };
    if (path.includes('/folders/source')) values['secretPath'] = SOURCED;
    const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query' && parameter.required);
    return `${filled}?${new URLSearchParams(Object.fromEntries(query.map(({ name: one }) => [one, values[one] ?? '']))).toString()}`;
  }

  function validBody(operationId: string, { connectionId, login }: Ids): unknown {
    const sync = { name: uniqueName('s'), ...place, connectionId };
    const bodies: Record<string, unknown> = {
      'auth.login': { clientId: login?.clientId ?? 'x', clientSecret: login?.clientSecret ?? 'x' },
      ...Object.fromEntries(
        ['jwt', 'oidc', 'kubernetes'].map((kind) => [
          `auth.${kind}Login`,
          { identityId: 'deploy', jwt: login?.jwt ?? 'x' },
        ]),
      ),
      'auth.renew': { accessToken: login?.accessToken ?? 'x' },
      'auth.revoke': { accessToken: login?.accessToken ?? 'x' },
      'connection.create': assumeRole(uniqueName('c')),
      'connection.update': { description: 'changed' },
      'parameterStoreSync.create': {
        ...sync,
        destinationConfig: { region: 'eu-west-1', path: `/${uniqueName('p')}/` },
      },
      'secretsManagerSync.create': {
        ...sync,
        destinationConfig: { region: 'eu-west-1', mappingBehavior: 'many-to-one', secretName: uniqueName('s') },
      },
      'parameterStoreSync.checkDestination': {
        projectId: place.projectId,
        destinationConfig: { region: 'eu-west-1', path: '/app/' },
      },
      'secretsManagerSync.checkDestination': {
        projectId: place.projectId,
        destinationConfig: { region: 'eu-west-1', mappingBehavior: 'one-to-one' },
      },
      'parameterStoreSync.update': { description: 'changed' },
      'secretsManagerSync.update': { description: 'changed' },
      'rotation.create': {
        name: uniqueName('r'),
        ...place,
        secretPath: `/${uniqueName('f')}`,
        connectionId,
        rotationInterval: 30,
        parameters: { userName: uniqueName('u') },
        secretsMapping: { accessKeyId: 'K', secretAccessKey: 'S' },
      },
      'rotation.update': { rotationInterval: 60 },
      'webhook.create': { name: uniqueName('w'), url: 'https://hooks.example.com/keyferry' },
      'secrets.set': { ...place, secrets: { A: 'a' } },
      'source.set': {
        ...{ ...place, secretPath: SOURCED },
        source: { kind: 'http', url: 'https://sources.example.com/canary-path', token: 'canary-token-of-a-source' },
      },
      'source.run': { ...place, secretPath: SOURCED },
    };
    return bodies[operationId];
  }

  return { operations, inSafeOrder, createSubjects, fill, validBody };
}

/** The same id for every subject. */
export function everyIdIs(id: string): Ids {
  return {
    connectionId: id,
    syncId: { 'aws-parameter-store': id, 'aws-secrets-manager': id },
    rotationId: id,
    runId: id,
    webhookId: id,
    names: {},
  };
}
