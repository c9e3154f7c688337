/**
 * Key schemas: how a secret's key becomes a name at the destination and back. A schema is text with
 * `{{secretKey}}` exactly once and the other placeholders any number of times, so that two keys of
 * one folder never get one name. Pure.
 */
import { pathBelow } from './source-key.ts';

export interface KeySchema {
  /** What comes before the key in every name. */
  readonly prefix: string;
  readonly suffix: string;
}

/** Where the secrets lie that get these names. */
export interface SchemaFolder {
  readonly projectId: string;
  readonly environment: string;
  readonly secretPath: string;
}

const KEY_PLACEHOLDER = '{{secretKey}}';

/** What stands for the folder of a secret; empty in the root folder. */
const folderPlaceholders: Readonly<Record<string, (path: string) => string>> = {
  path: (path) => path,
  folder: (path) => path.slice(path.lastIndexOf('/') + 1),
};

/** Without a schema names are the keys themselves. */
export function parseKeySchema(schema: string | undefined, folder: SchemaFolder): KeySchema {
  const path = pathBelow('/', folder.secretPath);
  const rendered = Object.entries(folderPlaceholders).reduce(
    (text, [name, valueOf]) => withFolder(text, name, valueOf(path)),
    (schema ?? KEY_PLACEHOLDER)
      .replaceAll('{{environment}}', folder.environment)
      .replaceAll('{{project}}', folder.projectId),
  );
  const [prefix = '', suffix = ''] = rendered.split(KEY_PLACEHOLDER);
  return { prefix, suffix };
}

/**
 * One that is empty takes the separator behind it along, so that no name begins with one or holds
 * two.
 */
function withFolder(text: string, name: string, value: string): string {
  const placeholder = value === '' ? new RegExp(`\\{\\{${name}\\}\\}[/_-]?`, 'g') : `{{${name}}}`;
  return text.replaceAll(placeholder, () => value);
}

/**
 * The schema of a folder below the sync's. Where the text does not say where the path goes, the
 * folders are kept as levels of the name.
 */
export function schemaBelow(schema: string | undefined, folder: SchemaFolder, below: string): KeySchema {
  if (below === '') return parseKeySchema(schema, folder);
  const there = { ...folder, secretPath: `${folder.secretPath.replace(/\/$/, '')}/${below}` };
  const { prefix, suffix } = parseKeySchema(schema, there);
  const saysPath = Object.keys(folderPlaceholders).some((name) => schema?.includes(`{{${name}}}`) === true);
  return { prefix: saysPath ? prefix : `${below}/${prefix}`, suffix };
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
