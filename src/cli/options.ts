/**
 * Values of options that are checked before the command begins: what is wrong names the option and
 * ends with exit code 2.
 */
import { InvalidArgumentError, Option } from 'commander';

import { parseDuration } from '../domain/duration.ts';
import { ORG_PATTERN, ORG_PROBLEM } from '../domain/org.ts';
import { regionProblem } from '../domain/regions.ts';

/** A commander option that is checked like KEYFERRY_ORG, which it takes the place of. */
export const orgOption = () =>
  new Option('--org <org>', 'the org to act for (default: KEYFERRY_ORG)').argParser((given: string) => {
    if (ORG_PATTERN.test(given)) return given;
    throw new InvalidArgumentError(`It ${ORG_PROBLEM}.`);
  });

export function accountId(text: string): string {
  if (/^\d{12}$/.test(text)) return text;
  throw new InvalidArgumentError('It must have 12 digits.');
}

export function regionName(text: string): string {
  const problem = regionProblem(text);
  if (problem === undefined) return text;
  throw new InvalidArgumentError(`It ${problem}${problem.endsWith('?') ? '' : '.'}`);
}

/** Kept as text, as a setting of the environment is. */
export function portNumber(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return text;
  throw new InvalidArgumentError('It must be a port number.');
}

/** Undefined when it is not a number of whole days. */
export function toDays(every: string): number | undefined {
  const days = /^\d+$/.test(every) ? Number(every) : (parseDuration(every) ?? Number.NaN) / 86_400_000;
  return Number.isInteger(days) && days >= 1 ? days : undefined;
}

/** The client's limits, in the unit that a person types. */
const MAX_ROTATION_DAYS = 3_650;

export function wholeDays(text: string): string {
  const days = toDays(text);
  if (days !== undefined && days <= MAX_ROTATION_DAYS) return text;
  throw new InvalidArgumentError(`It must be whole days, at least 1d, at most ${String(MAX_ROTATION_DAYS)}d.`);
}

export const rotationTime = durationWithin({ least: '0s', most: '365d', samples: '30m, 24h or 7d' });
export const interval = durationWithin({ least: '1m', most: '1d', samples: '90s, 15m or 1h' });

interface Range {
  readonly least: string;
  readonly most: string;
  readonly samples: string;
}

function durationWithin({ least, most, samples }: Range) {
  return (text: string): string => {
    const ms = parseDuration(text);
    if (ms === undefined) throw new InvalidArgumentError(`It must be a duration such as ${samples}.`);
    if (ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most) ?? Infinity)) return text;
    throw new InvalidArgumentError(`It must be at least ${least}, at most ${most}.`);
  };
}

export function timeOfDay(text: string): string {
  if (/^([01]?\d|2[0-3]):[0-5]\d$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a time of day in UTC, as 03:15.');
}

/** Within what a timer of Node can wait, which is 24.8 days. */
const MAX_TIMEOUT_DAYS = 24;

export function timeout(text: string): string {
  const ms = parseDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('It must be a duration such as 90s, 10m or 2h.');
  if (ms > MAX_TIMEOUT_DAYS * 86_400_000) throw new InvalidArgumentError('It must be at most 24d.');
  return text;
}

/** Of deletions, as the plan or the source says it. */
export function deletions(text: string): string {
  if (/^\d{1,6}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the number of deletions that was shown.');
}

export const limitOption = (description: string) =>
  new Option('--limit <n>', description).argParser(toLimit).default(20);

function toLimit(given: string): number {
  if (/^\d{1,4}$/.test(given) && Number(given) >= 1 && Number(given) <= 1_000) return Number(given);
  throw new InvalidArgumentError('It must be a number from 1 to 1000.');
}
