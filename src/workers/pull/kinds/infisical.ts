/**
 * Kind `infisical`: the secrets of a project's environment and path as Infisical resolves them,
 * with imports and references, by a machine identity with universal auth. A token serves for many
 * pulls: one that finds nothing new is one request.
 */
import { z } from 'zod';

import type { InfisicalSettings } from '../../../domain/sources.ts';
import { JobError } from '../../../errors.ts';
import { type Answer, type Ask, answerRefused } from '../ask.ts';
import type { ReadSource, SourceReading } from '../source.ts';

export type Infisical = ReadSource<InfisicalSettings>;

interface Token {
  readonly text: string;
  /** Of the clock of the reading. */
  readonly renewAtMs: number;
}

/** Tokens that one process keeps; dropping the oldest costs a login. */
const MAX_TOKENS = 1_000;

export function createInfisical(): Infisical {
  const tokens = new Map<string, Token>();

  async function tokenFor(settings: InfisicalSettings, { ask, now }: SourceReading): Promise<string> {
    const key = keyOf(settings);
    const known = tokens.get(key);
    if (known && known.renewAtMs > now()) return known.text;
    tokens.delete(key);
    const token = await login(settings, ask, now);
    const [oldest] = tokens.keys();
    if (tokens.size >= MAX_TOKENS && oldest !== undefined) tokens.delete(oldest);
    tokens.set(key, token);
    return token.text;
  }

  return async (settings, reading) => {
    const isKept = tokens.has(keyOf(settings));
    const text = await tokenFor(settings, reading);
    const answer = await list(settings, text, reading).catch(async (error: unknown) => {
      if (!isRefusedToken(error)) throw error;
      tokens.delete(keyOf(settings));
      // A token that was kept may have been revoked; a new one is refused for good.
      if (!isKept) throw error;
      return list(settings, await tokenFor(settings, reading), reading);
    });
    if (answer.status === 304) return { status: 'unchanged' };
    return { status: 'read', values: toValues(answer), etag: answer.headers.etag ?? null };
  };
}

function keyOf({ url, clientId, clientSecret }: InfisicalSettings): string {
  return JSON.stringify([url, clientId, clientSecret]);
}

function isRefusedToken(error: unknown): boolean {
  return error instanceof JobError && error.code === 'SOURCE_DENIED' && error.context.status === 401;
}

const loginShape = z.object({ accessToken: z.string().regex(/^[\x21-\x7e]{1,16384}$/), expiresIn: z.number() });

async function login({ url, clientId, clientSecret }: InfisicalSettings, ask: Ask, now: () => number): Promise<Token> {
  const answer = await ask({
    url: new URL('/api/v1/auth/universal-auth/login', url),
    body: JSON.stringify({ clientId, clientSecret }),
  });
  const { accessToken, expiresIn } = parse(loginShape, answer, 'the login');
  // Renewed after nine tenths of its life: a request with it is answered in time.
  return { text: accessToken, renewAtMs: now() + expiresIn * 900 };
}

function list(settings: InfisicalSettings, token: string, { ask, etag }: SourceReading): Promise<Answer> {
  const { url: site, projectId, environment, secretPath, isRecursive } = settings;
  const url = new URL('/api/v3/secrets/raw', site);
  url.search = new URLSearchParams({
    workspaceId: projectId,
    environment,
    secretPath,
    recursive: String(isRecursive),
    include_imports: 'true',
    expandSecretReferences: 'true',
    viewSecretValue: 'true',
  }).toString();
  const condition = etag === null ? {} : { 'if-none-match': etag };
  return ask({ url, headers: { accept: 'application/json', authorization: `Bearer ${token}`, ...condition } });
}

const secretShape = z.object({
  secretKey: z.string(),
  secretValue: z.string(),
  secretPath: z.string().optional(),
  /** The identity may see the name only. */
  secretValueHidden: z.boolean().optional(),
});
type InfisicalSecret = z.output<typeof secretShape>;

const listShape = z.object({
  secrets: z.array(secretShape),
  imports: z.array(z.object({ secrets: z.array(secretShape) })).default([]),
});

/** The folder's own secrets go before imported ones, and a later import before an earlier one. */
function toValues(answer: Answer): Readonly<Record<string, string>> {
  const { secrets, imports } = parse(listShape, answer, 'the list of secrets');
  requireVisible([...secrets, ...imports.flatMap((one) => one.secrets)]);
  const own = secrets.map((one) => one.secretKey);
  const twice = own.filter((key, at) => own.indexOf(key) !== at);
  if (twice.length > 0)
    throw answerRefused(`${[...new Set(twice)].slice(0, 5).join(', ')} is in more than one folder of the path`);
  const inOrder = [...imports.flatMap((one) => one.secrets), ...secrets];
  return Object.fromEntries(inOrder.map((one) => [one.secretKey, one.secretValue]));
}

/** Their values would be a placeholder. */
function requireVisible(secrets: readonly InfisicalSecret[]): void {
  const hidden = secrets.filter((one) => one.secretValueHidden === true).map((one) => one.secretKey);
  if (hidden.length > 0)
    throw answerRefused(`the identity may not read the values of ${hidden.slice(0, 5).join(', ')}`);
}

function parse<T extends z.ZodType>(shape: T, { bytes }: Answer, what: string): z.output<T> {
  const parsed = shape.safeParse(jsonOf(bytes));
  if (!parsed.success) throw answerRefused(`${what} is not in the form of Infisical’s API`);
  return parsed.data;
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
