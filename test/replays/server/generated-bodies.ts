/**
 * Bodies made from a schema of the OpenAPI document: as it says, and with one or more places that
 * are wrong in ways that programs and attackers find.
 */
import fc from 'fast-check';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

export type Schemas = Readonly<Record<string, unknown>>;

/**
 * What fits the schema, as far as types go; the shapes behind patterns come from the example that
 * is mutated.
 */
export function bodiesOf(schema: Schema, schemas: Schemas, depth = 0): fc.Arbitrary<unknown> {
  const of = (part: Schema) => bodiesOf(part, schemas, depth + 1);
  if (depth > 8) return fc.constant(null);
  if (schema.$ref !== undefined) return of(schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map(of));
  if (schema.allOf !== undefined)
    return fc.tuple(...schema.allOf.map(of)).map((parts) => Object.assign({}, ...(parts as object[])) as unknown);
  return ofType(schema, [schema.type ?? 'object'].flat()[0] ?? 'object', of);
}

function ofType(schema: Schema, type: string, of: (part: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.oneof(fc.string(), odd);
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 10_000 }), fc.double());
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(of(schema.items ?? {}), { maxLength: 5 });
    case 'null':
      return fc.constant(null);
    default:
      return objectOf(schema, of);
  }
}

function objectOf(schema: Schema, of: (part: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const known = fc.record(
    Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, part]) => [name, of(part)])),
    { requiredKeys: [...(schema.required ?? [])].filter((name) => name in (schema.properties ?? {})) },
  );
  const { additionalProperties } = schema;
  if (typeof additionalProperties !== 'object') return known;
  const further = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('A', 'B_1', '__proto__')),
    of(additionalProperties),
    {
      maxKeys: 5,
    },
  );
  return fc.tuple(known, further).map(([first, second]) => ({ ...first, ...second }));
}

const deep = (levels: number): unknown => {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};

/** Where programs break. */
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      true,
      0,
      -1,
      1e308,
      2 ** 53,
      '',
      ' ',
      '\u0000',
      'a\u0000b',
      '\ud800',
      'a\udfff',
      '\u202e',
      '/',
      '//',
      '../..',
    ],
    ...[[], {}, [null], { __proto__: 1 }, { toString: 1 }, 'constructor', '__proto__', "'; --", '%00', '{{secretKey}}'],
    ...['00000000-0000-4000-8000-000000000000', 'é'.normalize('NFD'), '😀'.repeat(200), '1e400', 'NaN'],
  ),
  fc
    .constantFrom<() => unknown>(
      () => 'x'.repeat(300_000),
      () => deep(2_000),
      () => Array.from({ length: 20_000 }, () => 0),
      () => Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`K${String(n)}`, 'v'])),
    )
    .map((make) => make()),
  fc.anything({ maxDepth: 2, withNullPrototype: false }),
);

/** The example with some of its places changed, removed or joined by others. */
export function mutated(example: unknown): fc.Arbitrary<unknown> {
  const places = placesOf(example);
  const change = fc.record({
    place: fc.constantFrom(...places),
    how: fc.constantFrom('replace', 'replace', 'remove', 'add'),
    value: odd,
    name: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'a\u0000')),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let body = structuredClone(example);
    for (const one of changes) body = changed(body, one.place, one);
    return body;
  });
}

type Place = readonly string[];

function placesOf(value: unknown, at: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, part]) => placesOf(part, [...at, name]))];
}

interface Change {
  readonly how: string;
  readonly value: unknown;
  readonly name: string;
}

function changed(body: unknown, [first, ...rest]: Place, change: Change): unknown {
  if (first === undefined) {
    if (change.how === 'add' && typeof body === 'object' && body !== null)
      return Object.fromEntries([...Object.entries(body), [change.name, change.value]]);
    return change.value;
  }
  if (typeof body !== 'object' || body === null) return body;
  const entries = Object.entries(body);
  if (rest.length === 0 && change.how === 'remove')
    return Object.fromEntries(entries.filter(([name]) => name !== first));
  return Object.fromEntries(entries.map(([name, part]) => [name, name === first ? changed(part, rest, change) : part]));
}

/** As text; what JSON does not know becomes a string. */
export function toText(body: unknown): string {
  const known = (_name: string, value: unknown) =>
    typeof value === 'bigint' || typeof value === 'symbol' ? String(value) : value;
  const text = JSON.stringify(body, known) as string | undefined;
  return text ?? 'null';
}
