/** The forms of single settings: durations, URLs, keys, tokens, concurrency. */
import { isIP } from 'node:net';

import { z } from 'zod';

import type { ApiToken } from '../domain/caller.ts';
import { parseDuration, unitMs } from '../domain/duration.ts';
import { parseJwtLogins } from '../domain/jwt-logins.ts';
import { parseDatabaseUrl } from '../domain/servers/database-url.ts';
import { parseRedisUrl } from '../domain/servers/redis-url.ts';
import type { Kind } from '../domain/run.ts';

export interface EncryptionKeySetting {
  readonly id: string;
  readonly key: Buffer;
}

/** Ten years: everything that is counted in milliseconds can still be counted. */
const MAX_DURATION_MS = 3_650 * unitMs.d;

export const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms >= unitMs.s && ms <= MAX_DURATION_MS) return ms;
      const isDuration = ms !== undefined && ms > 0;
      const message = isDuration ? 'must be between 1s and 3650d' : 'must be a duration such as 90s, 15m, 1h or 7d';
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });

/** Entries separated by commas. The first wrong one is named by its number. */
function list(isRight: (entry: string) => boolean, what: string) {
  return z
    .string()
    .default('')
    .transform((text, context) => {
      const entries = text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
      const wrong = entries.findIndex((entry) => !isRight(entry));
      if (wrong >= 0) context.addIssue({ code: 'custom', message: `entry ${String(wrong + 1)} is not ${what}` });
      return entries;
    });
}

/** A name or an address, without scheme, port or brackets. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text);
}

export const webUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number')
  .transform(Number)
  .refine((number) => number <= 65_535, 'must be a port number');

export const logLevel = z.enum(
  ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  'must be trace, debug, info, warn, error, fatal or silent',
);

const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/;

export const roleArn = z.string().regex(ROLE_ARN, 'must be the ARN of a role');
export const roleArns = list((entry) => ROLE_ARN.test(entry), 'the ARN of a role');
export const hosts = list(isHost, 'a host name or address without scheme and port').transform((entries) =>
  entries.map((entry) => entry.toLowerCase()),
);

export const databaseUrl = z.string().superRefine((text, context) => {
  const { problem } = parseDatabaseUrl(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** One URL, several of a cluster, or sentinels with the name of their master. */
export const redisUrl = z.string().superRefine((text, context) => {
  const { problem } = parseRedisUrl(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

export const encryptionKeys = z.string().transform((text, context) => {
  const keys = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseEncryptionKey);
  const bad = keys.findIndex((key) => key === undefined);
  const ids = keys.map((key) => key?.id);
  if (keys.length === 0 || bad >= 0) {
    context.addIssue({
      code: 'custom',
      message: `entry ${String(Math.max(bad, 0) + 1)} is not \`id:base64(32 bytes)\`; make one with \`keyferry keys generate\``,
    });
    return z.NEVER;
  }
  if (new Set(ids).size !== ids.length) {
    context.addIssue({ code: 'custom', message: 'names the same key id twice' });
    return z.NEVER;
  }
  return keys as [EncryptionKeySetting, ...EncryptionKeySetting[]];
});

export interface KmsKeySetting {
  readonly arns: readonly string[];
  /** The first encrypts; false: `local` comes first, and they only decrypt. */
  readonly encrypts: boolean;
}

const KMS_KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/;

export const kmsKeys = z.string().transform((text, context): KmsKeySetting => {
  const entries = text.split(',').map((part) => part.trim());
  const arns = entries[0] === 'local' ? entries.slice(1) : entries;
  const isKnown = arns.length > 0 && arns.every((arn) => KMS_KEY_ARN.test(arn));
  if (isKnown && new Set(arns).size === arns.length) return { arns, encrypts: arns === entries };
  const message = isKnown
    ? 'names the same key twice'
    : 'must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID, no alias), or several, comma-separated; `local` may stand first';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

function parseEncryptionKey(part: string): EncryptionKeySetting | undefined {
  const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})$/.exec(part);
  if (!match?.[1] || !match[2]) return undefined;
  const key = Buffer.from(match[2], 'base64');
  return key.length === 32 ? { id: match[1], key } : undefined;
}

export const apiTokens = z
  .string()
  .default('')
  .transform((text, context) => {
    const tokens = text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map(parseApiToken);
    const bad = tokens.findIndex((token) => token === undefined);
    const hashes = tokens.map((token) => token?.sha256);
    // Whoever holds the token would be both, and which of the two the trail names would be chance.
    const repeated = hashes.findIndex((hash, index) => hashes.indexOf(hash) < index);
    if (bad < 0 && repeated < 0) return tokens as ApiToken[];
    const message =
      bad < 0
        ? `entry ${String(repeated + 1)} is the token of entry ${String(hashes.indexOf(hashes[repeated]) + 1)}: make one for each`
        : `entry ${String(bad + 1)} is not \`org:name:sha256hex[:read|write|admin]\``;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

function parseApiToken(part: string): ApiToken | undefined {
  const match = /^([\w+=,.@/-]{2,128}):([^:]+):([0-9a-f]{64})(?::(read|write|admin))?$/i.exec(part);
  if (!match) return undefined;
  const [, orgId = '', name = '', sha256 = '', scope = 'write'] = match;
  return { orgId, name, sha256: sha256.toLowerCase(), scope: scope as ApiToken['scope'] };
}

export const jwtLogins = z
  .string()
  .default('[]')
  .transform((text, context) => {
    const parsed = parseJwtLogins(text);
    if ('logins' in parsed) return parsed.logins;
    context.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  });

export const concurrency = z
  .string()
  .default('')
  .transform((text, context) => {
    const found: Record<Kind, number> = { validate: 20, sync: 10, rotate: 4 };
    for (const part of text.split(',').filter((one) => one.trim() !== '')) {
      const match = /^\s*(validate|sync|rotate)\s*=\s*([1-9]\d{0,3})\s*$/.exec(part);
      if (!match) {
        context.addIssue({ code: 'custom', message: 'must be like validate=20,sync=10,rotate=4' });
        return z.NEVER;
      }
      found[match[1] as Kind] = Number(match[2]);
    }
    return found;
  });

export const boolean = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((text) => text === 'true');
