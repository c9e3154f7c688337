/** What an answer of the API advises: operations that exist, never a command that has one. */
import { beforeAll, describe, expect, it } from 'vitest';

import { errorTable, JobError } from '../../../src/errors.ts';
import { createApi } from '../../../src/server/api/api.ts';
import type { ApiOptions } from '../../../src/server/api/env.ts';
import { toApiError } from '../../../src/server/api/errors.ts';
import { allInOperations, inOperations, operationOf, subjectOfPath } from '../../../src/server/api/wording.ts';

const id = '0190a5b2-0000-7000-8000-000000000001';
const sync = { kind: 'sync', id, destination: 'aws-parameter-store' } as const;
const path = `/api/v1/secret-syncs/aws-parameter-store/${id}`;
/** What operators alone can do, at the place where keyferry runs. */
const OPERATORS = /^keyferry (policy|keys|migrate|restore|identity|doctor|worker|up)\b/;

let paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;

beforeAll(async () => {
  const api = createApi({ jwtLogins: [], tokens: [], version: '0.0.0' } as unknown as ApiOptions);
  ({ paths } = (await (await api.request('/api/openapi.json')).json()) as { paths: typeof paths });
});

it('names operations that the API has', () => {
  const declared = Object.entries(paths).flatMap(([route, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`),
  );
  for (const [command, operation] of Object.entries(operationOf)) {
    const [plain = ''] = operation.split('?');
    const places = ['aws-parameter-store', 'aws-secrets-manager'].map((one) => plain.replace('{destination}', one));
    const orders = places.map((one) => one.replace(/(?<=Id\})\/(\w+)$/, '/{order}'));
    for (const [at, place] of places.entries())
      expect(declared.includes(place) || declared.includes(orders[at] ?? ''), `${command}: ${place}`).toBe(true);
  }
});

it.each(Object.keys(errorTable) as (keyof typeof errorTable)[])('%s advises a client of the API no command', (code) => {
  const { message } = toApiError(new JobError(code));
  const commands = [...message.matchAll(/`(keyferry [^`]*)`/g)].map(([, command = '']) => command);
  expect(commands.filter((command) => !OPERATORS.test(command))).toEqual([]);
});

describe('a message of the domain on the API', () => {
  it.each([
    ['Look at `keyferry sync plan`.', `Look at \`POST ${path}/plan\`.`],
    [
      'Import it with `keyferry sync import api`.',
      `Import it with \`POST ${path}/import-secrets?importBehavior=prioritize-source\`.`,
    ],
    [
      'If meant: run the sync with `confirmDeletions: 4`.',
      `If meant: send \`POST ${path}/sync-secrets?confirmDeletions=4\`.`,
    ],
    ['Run the sync with `acceptSource: true`.', `Send \`POST ${path}/sync-secrets?acceptSource=true\`.`],
    [
      'It owns 2 objects: delete the sync with `removeSecrets: true`, or leave them at AWS with `abandon: true`.',
      `It owns 2 objects: send \`DELETE ${path}?removeSecrets=true\`, or leave them at AWS with \`DELETE ${path}\`.`,
    ],
    ['To stop, delete the sync and abandon them.', `To stop, send \`DELETE ${path}\`, which abandons them.`],
    [
      'Update the rotation with `adoptKey: ID`.',
      'Send `PATCH /api/v2/secret-rotations/aws-iam-user-secret/{rotationId}` with `adoptKey: ID`.',
    ],
    [
      'run the source of web, prod, /api with `confirmDeletions: 4`.',
      'send `POST /api/v1/folders/source/run` for web, prod, /api with `confirmDeletions: 4`.',
    ],
    [
      'Compare with `keyferry policy trust` and set `drift: repair`.',
      'Compare with `keyferry policy trust` and set `drift: repair`.',
    ],
    [
      '`keyferry connection update NAME --allow-missing-external-id REASON`',
      '`keyferry connection update NAME --allow-missing-external-id REASON`',
    ],
  ])('%s', (message, expected) => {
    expect(inOperations(message, sync)).toBe(expected);
  });

  it('is reworded wherever it stands in a result', () => {
    const at = new Date(0);
    const result = { plan: { blockedBy: { message: 'Look at `keyferry sync plan`.' } }, at, names: ['a'] };
    expect(allInOperations(result, sync)).toEqual({
      plan: { blockedBy: { message: `Look at \`POST ${path}/plan\`.` } },
      at,
      names: ['a'],
    });
  });
});

it('takes the id from the path of the request', () => {
  expect(subjectOfPath(`${path}/sync-secrets`)).toEqual(sync);
  expect(subjectOfPath(`/api/v1/app-connections/aws/${id}`)).toMatchObject({ kind: 'connection', id });
  expect(subjectOfPath('/api/v1/secret-syncs/aws-parameter-store')).toBeUndefined();
  const { message } = toApiError(new JobError('SYNC_NOTHING_TO_CANCEL'), `${path}/cancel`);
  expect(message).toContain(`\`POST ${path}/pause\``);
});
