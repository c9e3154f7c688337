/**
 * What Bull Board may show of a job. Any BullMQ producer can add jobs with whatever it likes in
 * data, names, options and logs, and BullMQ keeps error messages and stacks in clear: so this is a
 * list of what is shown, everything else is left out. Pure.
 */
import { cutText } from '../../domain/text.ts';
import { errorTable } from '../../errors.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const REASONS = ['requested', 'scheduled', 'created', 'changed', 'recovered'];
const JOB_NAMES = ['validate', 'sync', 'plan', 'import', 'remove', 'rotate'];
const ID_FIELDS = ['connectionId', 'syncId', 'rotationId', 'requestId'];
/** BullMQ's own words for jobs that no processor failed. */
const BULLMQ_REASON =
  /^(job stalled more than allowable limit|job started more than allowable limit|Lock mismatch|Missing lock)/i;
const MAX_REASON = 300;

/** The fields of a job that Bull Board reads, as BullMQ gives them. */
export interface RawJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts?: unknown;
  readonly progress?: unknown;
  readonly returnvalue?: unknown;
  readonly failedReason?: string;
  readonly stacktrace?: readonly string[] | null;
}

/** Ids, our own mark and the reason; for anything else only that it was there. */
export function cleanData(data: unknown): Record<string, unknown> {
  if (typeof data !== 'object' || data === null) return {};
  const shown: Record<string, unknown> = {};
  let hidden = 0;
  for (const [field, value] of Object.entries(data)) {
    if (isShown(field, value)) shown[field] = value;
    else hidden += 1;
  }
  return hidden === 0 ? shown : { ...shown, hiddenFields: hidden };
}

const pages: readonly (readonly [field: string, path: string, name: string])[] = [
  ['connectionId', '/connections', 'Connection'],
  ['syncId', '/syncs', 'Sync'],
  ['rotationId', '/rotations', 'Rotation'],
];

/** The page of the object that the job is about; the overview where the job names none. */
export function subjectPage(data: unknown): { readonly href: string; readonly displayText: string } {
  const shown = cleanData(data);
  const found = pages.find(([field]) => field in shown);
  if (found === undefined) return { href: '/', displayText: 'Status page' };
  const [field, path, name] = found;
  return { href: `${path}/${String(shown[field])}`, displayText: name };
}

function isShown(field: string, value: unknown): boolean {
  if (ID_FIELDS.includes(field)) return typeof value === 'string' && UUID.test(value);
  if (field === 'reason') return typeof value === 'string' && REASONS.includes(value);
  if (field === 'requestedBy') return typeof value === 'string' && isPlainName(value);
  return field === 'dispatched' && value === true;
}

/** A user, token or program name: short words, nothing that looks like a key or a token. */
function isPlainName(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9 ._@:-]{0,63}$/.test(text) && !/[A-Za-z0-9]{20,}/.test(text);
}

export function cleanName(name: string): string {
  return JOB_NAMES.includes(name) ? name : 'unknown job';
}

/**
 * `CODE: what happened` of our registry, or BullMQ's own words; an error that somebody else threw
 * is private.
 */
export function cleanReason(reason: string | undefined): string | undefined {
  if (reason === undefined || reason === '') return undefined;
  if (BULLMQ_REASON.test(reason)) return firstLine(reason);
  const code = /^([A-Z]+(?:_[A-Z]+)+)(?=: |$)/.exec(reason)?.[1];
  if (code !== undefined && code in errorTable) return redact(firstLine(reason));
  return 'The job failed; its reason is private. See the run on the status page, or the worker’s log.';
}

function firstLine(text: string): string {
  return cutText(text.split('\n')[0] ?? '', MAX_REASON);
}

/** The second net: shapes of credentials, should one ever get into a message. */
const credentialShapes: readonly RegExp[] = [
  /(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/g,
  /\b[A-Za-z0-9+/_-]{64,}={0,2}/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
  /\bv1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{20,}/g,
  /\/\/[^/\s:@]+:[^/\s@]+@/g,
];

export function redact(text: string): string {
  return credentialShapes.reduce((clean, shape) => clean.replace(shape, '[redacted]'), text);
}

/** Numbers and switches of BullMQ's options, and the deduplication id in our own form. */
export function cleanOptions(options: unknown): Record<string, unknown> {
  if (typeof options !== 'object' || options === null) return {};
  const { attempts, delay, priority, timestamp, lifo, deduplication } = options as Record<string, unknown>;
  const shown = Object.entries({ attempts, delay, priority, timestamp, lifo }).filter(
    ([, value]) => typeof value === 'number' || typeof value === 'boolean',
  );
  const id =
    typeof deduplication === 'object' && deduplication !== null ? (deduplication as { id?: unknown }).id : undefined;
  return { ...Object.fromEntries(shown), ...(isDeduplicationId(id) ? { deduplication: { id } } : {}) };
}

function isDeduplicationId(id: unknown): id is string {
  return typeof id === 'string' && /^[a-z]{3,12}[:-]/.test(id) && UUID.test(id.replace(/^[a-z]{3,12}[:-]/, ''));
}

export function cleanResult(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return null;
  const shown = Object.entries(value).filter(([field, one]) => isResultField(field, one));
  return Object.fromEntries(shown);
}

const RESULT_IDS = ['runId', 'requestId', 'subjectId', ...ID_FIELDS];

function isResultField(field: string, value: unknown): boolean {
  if (RESULT_IDS.includes(field)) return typeof value === 'string' && UUID.test(value);
  return field === 'status' && typeof value === 'string' && /^[a-z]{3,16}$/.test(value);
}

export function cleanProgress(progress: unknown): number {
  return typeof progress === 'number' && Number.isFinite(progress) ? progress : 0;
}

/** The job as `toJSON` gave it, with every field that could carry a foreign text replaced. */
export function cleanJob<T extends RawJob>(job: T): T {
  const reason = cleanReason(job.failedReason);
  return {
    ...job,
    name: cleanName(job.name),
    data: cleanData(job.data),
    opts: cleanOptions(job.opts),
    progress: cleanProgress(job.progress),
    returnvalue: cleanResult(job.returnvalue),
    failedReason: reason,
    stacktrace: reason === undefined ? [] : [reason],
    deferredFailure: undefined,
    deduplicationId: undefined,
  };
}
