import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { compatibilityTag } from '../../../src/server/api/operation.ts';
import { createApiUnderTest, type ApiUnderTest } from './api-support.ts';
import { useServer } from './support.ts';

describe('docs/api.md', () => {
  const fixture = useServer(undefined);
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await createApiUnderTest(fixture());
  });
  afterAll(async () => {
    await api.close();
  });

  it('names every path of the API, and no other', async () => {
    const text = await readFile(new URL('../../../docs/api.md', import.meta.url), 'utf8');
    const table = text.slice(text.indexOf('## Operations'), text.indexOf('Every action records'));
    const named = [...table.matchAll(/`((?:\/api|…)\/[^`?]*)/g)].map((match) => match[1] ?? '');
    const syncs = ['/api/v1/secret-syncs/aws-parameter-store', '/api/v1/secret-syncs/aws-secrets-manager'];
    const full = named.flatMap((path) =>
      path.startsWith('…') ? syncs.map((base) => path.replace('…', base)) : [path],
    );
    expect([...new Set(full)].sort()).toEqual(Object.keys(api.document.paths).sort());
  });

  it('keeps to the budget of 54 operations, those that only Infisical’s clients need apart', () => {
    const operations = Object.values(api.document.paths).flatMap((path) => Object.values(path));
    const own = operations.filter(({ tags }) => !tags.includes(compatibilityTag));
    expect(own.length).toBeLessThanOrEqual(54);
  });
});
