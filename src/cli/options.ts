/**
 * Values of options that are checked before the command begins: what is wrong names the option and
 * ends with exit code 2.
 */
import { InvalidArgumentError, Option } from 'commander';

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

export const limitOption = (description: string) =>
  new Option('--limit <n>', description).argParser(toLimit).default(20);

function toLimit(given: string): number {
  if (/^\d{1,4}$/.test(given) && Number(given) >= 1 && Number(given) <= 1_000) return Number(given);
  throw new InvalidArgumentError('It must be a number from 1 to 1000.');
}
