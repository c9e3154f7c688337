/**
 * Logging: one JSON object a line on stderr. What is logged is listed field by field by the
 * callers; redaction paths are the second net. Errors are reduced to their code and public message,
 * with the cause's name but not its text, since drivers put values there.
 */
import { pino, type DestinationStream, type Logger } from 'pino';

import { JobError } from '../errors.ts';

export type Log = Logger;

const secretNames = [
  'secret',
  'secrets',
  'secretAccessKey',
  'secret_access_key',
  'sessionToken',
  'password',
  'value',
  'credentials',
  'authorization',
];

interface LogOptions {
  readonly level: string;
  readonly base?: Readonly<Record<string, unknown>>;
}

export const toStderr = () => pino.destination({ dest: 2, sync: true });

export function createLog(options: LogOptions, destination?: DestinationStream): Log {
  return pino(
    {
      level: options.level,
      base: options.base ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
      serializers: { err: describeError, error: describeError, message: maskKeyIds },
    },
    destination ?? toStderr(),
  );
}

/**
 * Messages for people name access keys; in the log their last characters are enough to tell them
 * apart.
 */
export function maskKeyIds(message: unknown): unknown {
  return typeof message === 'string' ? message.replace(/\b(A[KS]IA)[A-Z0-9]{8,}([A-Z0-9]{4})\b/g, '$1…$2') : message;
}

/** What a log line may say about an error. */
export function describeError(error: unknown): Record<string, unknown> {
  if (error instanceof JobError) {
    return {
      code: error.code,
      message: maskKeyIds(error.operatorMessage),
      ...error.context,
      cause: describeCause(error.cause),
    };
  }
  return { cause: describeCause(error) };
}

function describeCause(cause: unknown): Record<string, unknown> | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code } = cause as { code?: unknown };
  return {
    name: cause.name,
    ...(typeof code === 'string' ? { code } : {}),
    // The frames only: the first line of a stack repeats the message.
    stack: cause.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 8),
    cause: describeCause(cause.cause),
  };
}
