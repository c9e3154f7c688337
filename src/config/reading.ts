/** Reads the environment and the files that it names, and reports wrong settings. */
import { readFileSync } from 'node:fs';

import type { z } from 'zod';

import { decodeUtf8 } from '../domain/whole-text.ts';
import { JobError } from '../errors.ts';
import type { Environment } from './environment.ts';

export const secretVariables = [
  'DATABASE_URL',
  'REDIS_URL',
  'KEYFERRY_ENCRYPTION_KEYS',
  'INF_APP_CONNECTION_AWS_ACCESS_KEY_ID',
  'INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY',
  'KEYFERRY_BOARD_PASSWORD',
  'KEYFERRY_METRICS_TOKEN',
  'KEYFERRY_WEBHOOK_SECRET',
  'KEYFERRY_API_TOKENS',
  // No secret, but a list that is kept in a file more easily.
  'KEYFERRY_JWT_ISSUERS',
] as const;

const missingRemedy: Readonly<Record<string, string>> = {
  DATABASE_URL: 'is not set: set it to a PostgreSQL database, or start one for this folder with `keyferry up`',
  KEYFERRY_ENCRYPTION_KEYS: 'is not set: make one with `keyferry keys generate` and keep it safe',
};

/** Where a file is to blame, that is said already. */
export function describeIssues(
  error: z.ZodError,
  { values, problems }: ReturnType<typeof withFiles>,
): readonly string[] {
  const named = error.issues.map((issue) => ({ name: String(issue.path[0]), message: issue.message }));
  const others = named.filter(({ name }) => !problems.some((problem) => problem.startsWith(`${name}_FILE names`)));
  return others.map(({ name, message }) => {
    const remedy = values[name] === undefined ? missingRemedy[name] : undefined;
    return `${name} ${remedy ?? message}`;
  });
}

export function invalid(problems: readonly string[]): JobError {
  const [first = ''] = problems;
  const sentence = first.endsWith('?') ? first : `${first}.`;
  return new JobError('CONFIG_INVALID', {
    message: problems.length === 1 ? sentence : `${String(problems.length)} settings are wrong.`,
    context: { problems },
  });
}

export function withFiles(
  environment: Environment,
  names: readonly string[] = secretVariables,
): { values: Record<string, string | undefined>; problems: string[] } {
  const values: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== '') values[name] = value;
  const problems: string[] = [];
  for (const name of names) {
    const file = values[`${name}_FILE`];
    if (file === undefined) continue;
    if (values[name] !== undefined) problems.push(`${name} and ${name}_FILE: set only one of them`);
    try {
      const text = decodeUtf8(readFileSync(file))?.trim();
      if (text === undefined) problems.push(`${name}_FILE names a file that is not UTF-8: ${file}`);
      else if (text === '') problems.push(`${name}_FILE names an empty file: ${file}`);
      else values[name] = text;
    } catch {
      problems.push(`${name}_FILE names a file that cannot be read: ${file}`);
    }
  }
  return { values, problems };
}

/** The settings of one part only, for commands that need no other. Throws CONFIG_INVALID. */
export function readPart<T>(
  part: z.ZodType<T>,
  environment: Environment,
  { files, check }: { readonly files: readonly string[]; check?(values: Environment): readonly string[] },
): T {
  const { values, problems } = withFiles(environment, files);
  const parsed = part.safeParse(values);
  problems.push(...(check?.(values) ?? []));
  if (!parsed.success) problems.push(...describeIssues(parsed.error, { values, problems }));
  if (!parsed.success || problems.length > 0) throw invalid(problems);
  return parsed.data;
}
