/** Where the secrets of a folder come from: the settings of each kind of source, what of them is shown, and when it is read. Pure. */
import { z } from 'zod';

import { secretKeyShape, secretValueShape } from './secret-shapes.ts';
import { isStorable } from './text.ts';
import { urlShape } from './webhooks.ts';

export const sourceKinds = ['http', 'infisical'] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** Goes into a header as it is. */
const credentialShape = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/, 'must be 1 to 4,096 visible ASCII characters without spaces');

const everyShape = z.int().min(60).max(86_400).default(300);

const httpShape = z.strictObject({
  kind: z.literal('http'),
  /** Answers with one JSON object or dotenv lines. */
  url: urlShape,
  /** Sent as a bearer token. */
  token: credentialShape.nullable().default(null),
  everySeconds: everyShape,
});

const infisicalShape = z.strictObject({
  kind: z.literal('infisical'),
  /** Of the site, without a path. */
  url: urlShape.default('https://app.infisical.com'),
  projectId: z.string().min(1).max(128),
  environment: z.string().min(1).max(128),
  secretPath: z.string().regex(/^\//, 'must start with /').max(512).default('/'),
  isRecursive: z.boolean().default(false),
  /** Of a machine identity with universal auth. */
  clientId: credentialShape,
  clientSecret: credentialShape,
  everySeconds: everyShape,
});

export const newSourceShape = z.discriminatedUnion('kind', [httpShape, infisicalShape]);
export type NewSource = z.output<typeof newSourceShape>;

/** All settings but the schedule: stored encrypted as a whole, since a URL may be a credential, too. */
export type SourceSettings = Omit<z.output<typeof httpShape>, 'everySeconds'> | InfisicalSettings;
export type InfisicalSettings = Omit<z.output<typeof infisicalShape>, 'everySeconds'>;

/** What may be shown. */
export type SourceConfig = Readonly<Record<string, string | boolean>>;

export function shownConfig(settings: SourceSettings): SourceConfig {
  const { origin } = new URL(settings.url);
  if (settings.kind === 'http') return { origin };
  const { projectId, environment, secretPath, isRecursive } = settings;
  return { origin, projectId, environment, secretPath, isRecursive };
}

/** Why the values are refused as a whole: a part of them would delete the rest. Names keys, never a value. */
export function valuesProblem(values: Readonly<Record<string, string>>): string | undefined {
  const isBad = ([key, value]: readonly [string, string]) =>
    !secretKeyShape.safeParse(key).success || !secretValueShape.safeParse(value).success || !isStorable(value);
  const bad = Object.entries(values).filter(isBad);
  if (bad.length === 0) return undefined;
  const names = bad.slice(0, 5).map(([key]) => JSON.stringify(key.slice(0, 64)));
  const more = bad.length > 5 ? ` and ${String(bad.length - 5)} more` : '';
  return `${names.join(', ')}${more}: the name or the value cannot be stored`;
}

const FIRST_PAUSE_SECONDS = 15;

/** After `failures` in a row: doubling, never slower than the schedule. */
export function pauseSeconds(everySeconds: number, failures: number): number {
  if (failures === 0) return everySeconds;
  return Math.min(everySeconds, FIRST_PAUSE_SECONDS * 2 ** Math.min(failures - 1, 20));
}
