/** The OpenAPI document as a linter, generators and validating clients read it. */
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createApi } from '../../../src/server/api/api.ts';
import type { ApiOptions } from '../../../src/server/api/env.ts';
import { bodyExamples } from '../../../src/server/api/examples.ts';

interface Media {
  readonly 'application/json': { readonly schema: object; readonly example?: unknown };
}

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: { type: unknown } }[];
  readonly requestBody?: { readonly content: Media };
  readonly responses: Readonly<Record<string, { readonly content: Media; readonly headers: object }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

let document: Document;
let operations: readonly Operation[];

beforeAll(async () => {
  // To be described, an operation needs nothing of what it works with.
  const api = createApi({ jwtLogins: [], tokens: [], version: '0.0.0' } as unknown as ApiOptions);
  document = (await (await api.request('/api/openapi.json')).json()) as Document;
  operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
});

/** Hundreds of answers share a few schemas, and one takes milliseconds to read. */
const parsers = new Map<string, z.ZodType>();

/** With the components where JSON Schema looks for them. */
function parse(schema: object, value: unknown) {
  const key = JSON.stringify(schema);
  const parser = parsers.get(key) ?? toParser(schema);
  parsers.set(key, parser);
  return parser.safeParse(value);
}

function toParser(schema: object): z.ZodType {
  const withDefinitions = JSON.stringify({ ...schema, $defs: document.components.schemas });
  const resolved = withDefinitions.replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(JSON.parse(resolved) as Parameters<typeof z.fromJSONSchema>[0]);
}

describe('the OpenAPI document', () => {
  it('passes the linter’s strict rules', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        'tag-description': 'error',
        'operation-operationId': 'error',
        'no-invalid-media-type-examples': 'error',
        'no-invalid-schema-examples': 'error',
        'no-invalid-parameter-examples': 'error',
        'response-contains-property': 'off',
        // Infisical’s paths have names and orders at the place of an id; the server prefers the
        // literal ones.
        'no-ambiguous-paths': 'off',
      },
    });
    const source = JSON.stringify(document);
    const problems = await lintFromString({ source, config, absoluteRef: 'openapi.json' });
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`),
    ).toEqual([]);
  }, 30_000);

  it('has an example for every body, which its schema accepts', () => {
    const withBody = operations.filter(({ requestBody }) => requestBody !== undefined);
    expect(Object.keys(bodyExamples).sort()).toEqual(withBody.map(({ operationId }) => operationId).sort());
    for (const { operationId, requestBody } of withBody) {
      const media = requestBody?.content['application/json'];
      expect([operationId, parse(media?.schema ?? {}, media?.example).error?.issues]).toEqual([operationId, undefined]);
    }
  });

  it('has an example for every problem that says more than its status', () => {
    for (const { operationId, responses } of operations) {
      for (const status of ['401', '403', '404', '409', '422', '429', '503']) {
        const media = responses[status]?.content['application/json'];
        expect([operationId, status, parse(media?.schema ?? {}, media?.example).success]).toEqual([
          operationId,
          status,
          true,
        ]);
        expect(media?.example).toMatchObject({ statusCode: Number(status) });
      }
    }
  });

  it('has patterns that every engine compiles, with Unicode and without', () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
      ([, text = '""']) => JSON.parse(text) as string,
    );
    expect(patterns.length).toBeGreaterThan(20);
    for (const pattern of patterns) {
      expect(() => [new RegExp(pattern), new RegExp(pattern, 'u')], pattern).not.toThrow();
      expect(pattern).toMatch(/^\^[^]*\$$/);
      expect(pattern).not.toContain('\\p{');
    }
    expect(JSON.stringify(document)).toContain('(Unicode)');
  });

  it('declares the headers that are sent and answered, and nothing in a URL as null', () => {
    const named = (id: string) => operations.find(({ operationId }) => operationId === id);
    const headers = (id: string, status: string) => Object.keys(named(id)?.responses[status]?.headers ?? {});
    const sent = (id: string) =>
      named(id)
        ?.parameters.filter((one) => one.in === 'header')
        .map(({ name }) => name);
    expect(sent('parameterStoreSync.update')).toEqual(['Idempotency-Key', 'If-Match']);
    expect(sent('auth.login')).toEqual([]);
    expect(headers('parameterStoreSync.get', '200')).toEqual(['ETag']);
    expect(headers('run.get', '200')).toEqual([]);
    expect(headers('parameterStoreSync.get', '405')).toEqual(['Allow']);
    expect(headers('parameterStoreSync.get', '503')).toEqual(['Retry-After']);
    const nullable = operations.flatMap(({ operationId, parameters }) =>
      parameters
        .filter(({ schema }) => [schema.type].flat().includes('null'))
        .map(({ name }) => `${operationId} ${name}`),
    );
    expect(nullable).toEqual([]);
  });
});
