/**
 * AWS's rules for names, values and tags, checked before the first call, so that all violations are reported at once. Figures as the service
 * models and the documentation give them. Pure; no message ever holds a value.
 */
import { cutText } from '../text.ts';
import type { EntrySettings, Place } from './ledger.ts';
import type { Target } from './target.ts';

/** What is wrong with an entry and what to do about it. */
export interface Problem {
  readonly code: 'SYNC_ENTRY_INVALID' | 'SECRET_UNDECRYPTABLE';
  readonly message: string;
}

/** What AWS takes per call of DescribeParameters. */
export const PARAMETERS_PER_LOOK = 50;
/** What AWS takes per call of GetParameters and DeleteParameters. */
export const PARAMETERS_PER_CALL = 10;
/** What AWS takes per call of BatchGetSecretValue. */
export const SECRETS_PER_READ = 20;

const PARAMETER_MAX_DEPTH = 15;
/** Of the whole ARN. */
const PARAMETER_MAX_ARN = 1_011;
const STANDARD_MAX_BYTES = 4_096;
const ADVANCED_MAX_BYTES = 8_192;
const SECRET_MAX_NAME = 512;
export const SECRET_MAX_BYTES = 65_536;
/** One of AWS's 50 is the ownership tag. */
const MAX_TAGS = 49;

export const invalid = (message: string): Problem => ({ code: 'SYNC_ENTRY_INVALID', message });

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

export function findNameProblem(name: string, place: Place): Problem | undefined {
  return place.service === 'ssm' ? findParameterNameProblem(name, place) : findSecretNameProblem(name);
}

function findParameterNameProblem(name: string, place: Place): Problem | undefined {
  if (!/^[A-Za-z0-9_.\-/]+$/.test(name)) {
    return invalid(
      'The parameter name may hold only letters, digits and . - _ /. Rename the secret or change the key schema.',
    );
  }
  if (name.includes('//') || name.endsWith('/'))
    return invalid('The parameter name has an empty level. Change path or key schema.');
  if (/^\/?(aws|ssm)/i.test(name))
    return invalid('Parameter names must not begin with aws or ssm. Choose another path.');
  const depth = name.split('/').length - 1;
  if (depth > PARAMETER_MAX_DEPTH) {
    return invalid(`The parameter name has ${depth} levels; AWS allows ${PARAMETER_MAX_DEPTH}. Choose a shorter path.`);
  }
  const arn = `arn:${place.partition}:ssm:${place.region}:${place.accountId}:parameter${name}`;
  if (arn.length <= PARAMETER_MAX_ARN) return undefined;
  return invalid(`The parameter name is ${arn.length - PARAMETER_MAX_ARN} characters too long. Shorten path or key.`);
}

function findSecretNameProblem(name: string): Problem | undefined {
  if (!/^[A-Za-z0-9/_+=.@-]+$/.test(name)) {
    return invalid(
      'The secret name may hold only letters, digits and / _ + = . @ -. Rename the secret or change the key schema.',
    );
  }
  if (name.length <= SECRET_MAX_NAME) return undefined;
  return invalid(
    `The secret name has ${name.length} characters; AWS allows ${SECRET_MAX_NAME}. Shorten prefix or key.`,
  );
}

export function findTagsProblem(tags: Readonly<Record<string, string>>): Problem | undefined {
  const entries = Object.entries(tags);
  if (entries.length > MAX_TAGS) {
    return invalid(`${entries.length} tags; AWS allows 50, one of which marks the owner. Remove metadata or tags.`);
  }
  const bad = entries.find(([key, value]) => !isTagKey(key) || value.length > 256 || !tagText.test(value));
  if (!bad) return undefined;
  return invalid(
    `AWS does not allow the tag ${cutText(bad[0], 40)}: key up to 128, value up to 256 letters, digits, spaces and _.:/=+-@, not aws:.`,
  );
}

const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

function isTagKey(key: string): boolean {
  return key.length > 0 && key.length <= 128 && tagText.test(key) && !/^(aws|keyferry):/i.test(key);
}

export function findValueProblem(value: string, target: Target, settings: EntrySettings): Problem | undefined {
  if (value === '') return invalid('The value is empty; AWS stores no empty values. Set a value or remove the secret.');
  const bytes = byteLength(value);
  if (target.mapping === 'parameters') return findParameterValueProblem(value, bytes, settings.tier);
  // The size of a document is judged as a whole.
  if (target.mapping === 'document' || bytes <= SECRET_MAX_BYTES) return undefined;
  return invalid(`The value has ${bytes} bytes; Secrets Manager allows ${SECRET_MAX_BYTES}. Split it.`);
}

function findParameterValueProblem(value: string, bytes: number, tier: EntrySettings['tier']): Problem | undefined {
  if (/\{\{[\s\S]*\}\}/.test(value))
    return invalid('Parameter values must not hold {{…}}. Use Secrets Manager for this secret.');
  if (bytes > ADVANCED_MAX_BYTES) {
    return invalid(
      `The value has ${bytes} bytes; parameters hold at most ${ADVANCED_MAX_BYTES}. Use Secrets Manager for this secret.`,
    );
  }
  if (bytes <= STANDARD_MAX_BYTES || tier !== 'standard') return undefined;
  return invalid(
    `The value has ${bytes} bytes; standard parameters hold ${STANDARD_MAX_BYTES}. Set --tier advanced or intelligent, or shorten it.`,
  );
}
