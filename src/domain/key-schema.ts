/**
 * Key schemas: how a secret's key becomes a name at the destination and back. A schema is text with `{{secretKey}}` exactly once
 * and `{{environment}}` any number of times, so that two keys never get one name. Pure.
 */
export interface KeySchema {
  /** What comes before the key in every name. */
  readonly prefix: string;
  readonly suffix: string;
}

const KEY_PLACEHOLDER = '{{secretKey}}';
const ENVIRONMENT_PLACEHOLDER = '{{environment}}';

/** Without a schema names are the keys themselves. */
export function parseKeySchema(schema: string | undefined, environment: string): KeySchema {
  const rendered = (schema ?? KEY_PLACEHOLDER).replaceAll(ENVIRONMENT_PLACEHOLDER, environment);
  const [prefix = '', suffix = ''] = rendered.split(KEY_PLACEHOLDER);
  return { prefix, suffix };
}

export function renderKey(schema: KeySchema, key: string): string {
  return `${schema.prefix}${key}${schema.suffix}`;
}

/** The key that gives this name, or undefined when the schema does not produce it. */
export function findKey(schema: KeySchema, name: string): string | undefined {
  const { prefix, suffix } = schema;
  if (name.length <= prefix.length + suffix.length) return undefined;
  if (!name.startsWith(prefix) || !name.endsWith(suffix)) return undefined;
  const key = name.slice(prefix.length, name.length - suffix.length);
  // A key never spans levels: `/app/` + `a/b` is another folder's name.
  return key.includes('/') ? undefined : key;
}
