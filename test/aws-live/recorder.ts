/**
 * Writes down how AWS answered, in a form that says nothing about the account: ids, names, dates
 * and values are replaced, what a client decides by is kept. The same form is made of the sandbox's
 * answers and compared.
 */
import type { Observer } from './guard.ts';

export interface RecordedAnswer {
  readonly operation: string;
  readonly error?: string;
  readonly status?: number;
  readonly output?: unknown;
}

export interface Recording {
  /** Day of the run, and where it was made. */
  readonly recordedOn: string;
  readonly region: string;
  /** By case id, as the suites name it. */
  readonly cases: Readonly<Record<string, readonly RecordedAnswer[]>>;
  /** By question; facts only, no timings. */
  readonly questions: Readonly<Record<string, unknown>>;
}

export interface Recorder extends Observer {
  /** The answers since the last call of it. */
  take(): readonly RecordedAnswer[];
}

export function createRecorder(): Recorder {
  let answers: RecordedAnswer[] = [];
  return {
    onCall({ operation, output, error }) {
      answers.push(error ? toRefusal(operation, error) : { operation, output: replaceDetails(output) });
    },
    take() {
      const taken = answers;
      answers = [];
      return taken;
    },
  };
}

function toRefusal(operation: string, error: Error): RecordedAnswer {
  const { httpStatusCode } = (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata ?? {};
  return { operation, error: error.name, ...(httpStatusCode === undefined ? {} : { status: httpStatusCode }) };
}

/** Fields whose text is AWS's own vocabulary. */
const KEPT_TEXTS = new Set([
  'Type',
  'Tier',
  'Status',
  'DataType',
  'EvalDecision',
  'ErrorCode',
  'OwningService',
  'CheckName',
]);
const KEPT_NUMBERS = new Set(['Version', 'ParameterVersion']);

function replaceDetails(value: unknown, field = ''): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (value instanceof Date) return '<date>';
  if (value instanceof Uint8Array) return '<bytes>';
  if (typeof value === 'number') return KEPT_NUMBERS.has(field) ? value : '<number>';
  if (typeof value === 'string')
    return KEPT_TEXTS.has(field) || /^AWS(CURRENT|PREVIOUS|PENDING)$/.test(value) ? value : '<text>';
  if (Array.isArray(value)) return value.map((item) => replaceDetails(item, field));
  if (typeof value !== 'object') return '<other>';
  if (field === 'VersionIdsToStages' || field === 'SecretVersionsToStages')
    return Object.values(value)
      .map((stages) => replaceDetails(stages))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => name !== '$metadata' && inner !== undefined)
      .map(([name, inner]) => [name, replaceDetails(inner, name)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** A sentence for each answer that differs. */
export function compareAnswers(
  recorded: readonly RecordedAnswer[],
  found: readonly RecordedAnswer[],
): readonly string[] {
  const length = Math.max(recorded.length, found.length);
  return Array.from({ length }, (_, index) => {
    const [wanted, is] = [JSON.stringify(recorded[index]), JSON.stringify(found[index])];
    return wanted === is ? undefined : `answer ${String(index + 1)}: recorded ${wanted}, found ${is}`;
  }).filter((line) => line !== undefined);
}
