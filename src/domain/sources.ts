/**
 * Where the secrets of a folder come from: the settings of each kind of source, what of them is
 * shown, and when it is read. Pure.
 */
import { z } from 'zod';

import { secretKeyShape, secretValueShape } from './secret-shapes.ts';
import { isStorable } from './text.ts';
import { unionBy } from './union-by.ts';
import { urlShape } from './webhooks.ts';

export const sourceKinds = ['http', 'infisical'] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** Goes into a header as it is. */
const credentialShape = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/, 'must be 1 to 4,096 visible ASCII characters without spaces');

/** Signs notifications; the sender has the same. */
const notifySecretShape = z
  .string()
  .regex(/^[\x21-\x7e]{16,256}$/, 'must be 16 to 256 visible ASCII characters without spaces')
  .nullable()
  .default(null)
  .describe('Signs notifications of the source, which make a pull due at once. Null: none are taken');

/** Whether certificate and key fit together is checked where they are stored. */
const pemShape = z
  .string()
  .regex(/^-----BEGIN [A-Z0-9 ]+-----[\s\S]*$/, 'must be PEM')
  .max(65_536)
  .nullable()
  .default(null);

const EVERY_PROBLEM = 'must be 60 to 86,400 seconds (1 day)';
const everyShape = z.int().min(60, EVERY_PROBLEM).max(86_400, EVERY_PROBLEM).default(300);

const httpFields = z.strictObject({
  kind: z.literal('http'),
  /** Answers with one JSON object or dotenv lines. */
  url: urlShape,
  /** Sent as a bearer token. */
  token: credentialShape.nullable().default(null),
  /** For mutual TLS, with the authorities in between. */
  clientCertificate: pemShape,
  clientKey: pemShape,
  notifySecret: notifySecretShape,
  everySeconds: everyShape,
});

const httpShape = httpFields
  .refine(
    ({ clientCertificate, clientKey }) => (clientCertificate === null) === (clientKey === null),
    'clientCertificate and clientKey belong together: give both or none',
  )
  .refine(({ clientKey, url }) => clientKey === null || url.startsWith('https:'), {
    path: ['url'],
    message: 'must begin with https:// for a client certificate',
  });

const infisicalShape = z.strictObject({
  kind: z.literal('infisical'),
  /** Of the site, without a path. */
  url: urlShape.default('https://app.infisical.com'),
  projectId: z.string().min(1).max(128),
  environment: z.string().min(1).max(128),
  secretPath: z
    .string()
    .regex(/^\/[\s\S]*$/, 'must start with /')
    .max(512)
    .default('/'),
  isRecursive: z.boolean().default(false),
  /** Of a machine identity with universal auth. */
  clientId: credentialShape,
  clientSecret: credentialShape,
  notifySecret: notifySecretShape,
  everySeconds: everyShape,
});

export const newSourceShape = unionBy('kind', [httpShape, infisicalShape]);
export type NewSource = z.output<typeof newSourceShape>;

/**
 * All settings but the schedule: stored encrypted as a whole, since a URL may be a credential, too.
 * Rows of earlier versions lack what came later.
 */
export type SourceSettings = HttpSettings | InfisicalSettings;
type Later = 'clientCertificate' | 'clientKey' | 'notifySecret';
type Stored<S> = Omit<S, 'everySeconds' | Later> & Partial<Pick<S, Extract<keyof S, Later>>>;
export type HttpSettings = Stored<z.output<typeof httpShape>>;
export type InfisicalSettings = Stored<z.output<typeof infisicalShape>>;

/** PEM: the client's own certificate first, then the authorities in between. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** For mutual TLS. */
export function clientCertificateOf(source: SourceSettings): CertificatePair | undefined {
  if (source.kind !== 'http') return undefined;
  const { clientCertificate: certificate, clientKey: key } = source;
  return typeof certificate === 'string' && typeof key === 'string' ? { certificate, key } : undefined;
}

/** What may be shown. */
export type SourceConfig = Readonly<Record<string, string | boolean>>;

export function shownConfig(settings: SourceSettings): SourceConfig {
  const { origin } = new URL(settings.url);
  const isNotified = typeof settings.notifySecret === 'string';
  if (settings.kind === 'http') return { origin, isNotified };
  const { projectId, environment, secretPath, isRecursive } = settings;
  return { origin, projectId, environment, secretPath, isRecursive, isNotified };
}

/**
 * Why the values are refused as a whole: a part of them would delete the rest. Names keys, never a
 * value.
 */
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
