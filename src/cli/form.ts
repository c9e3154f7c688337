/**
 * What is wrong with the options of a command, all at once: what is missing, what does not have the
 * form of its option, and what the client would refuse.
 */
import { type Command, InvalidArgumentError, type Option } from 'commander';

import { nearest } from '../domain/nearest.ts';
import { JobError } from '../errors.ts';
import { withFlag } from './flags.ts';
import { exampleOf } from './usage.ts';

export interface Form {
  /** Throws PAYLOAD_INVALID; `found` is what the client says, by its fields. */
  require(found: readonly string[]): void;
}

/**
 * Commander stops at the first wrong option. Here it accepts them all, and `--help` says which are
 * required.
 */
export function takeForm(command: Command, flags: ReadonlySet<string>): Form {
  const wrong: string[] = [];
  for (const option of command.options) recordWrong(option, wrong);
  const required = command.options.filter((option) => option.mandatory);
  for (const option of required) {
    option.mandatory = false;
    option.description = `${option.description} (required)`.trim();
  }
  return {
    require(found) {
      const missing = required
        .filter((option) => command.getOptionValue(option.attributeName()) === undefined)
        .map((option) => `${nameOf(option)} is missing`);
      const own = [...missing, ...wrong];
      const named = new Set(own.map(subjectOf));
      const others = found.map((problem) => withFlag(problem, flags)).filter((one) => !named.has(subjectOf(one)));
      refuse(command, [...new Set([...own, ...others])]);
    },
  };
}

const nameOf = ({ long, flags }: Option): string => long ?? flags;

/** Up to a colon: `--method is missing: assume-role or …` */
const subjectOf = (problem: string): string => problem.split(' ')[0] ?? '';

function recordWrong(option: Option, wrong: string[]): void {
  const parse = option.parseArg?.bind(option) as ((value: string, previous: unknown) => unknown) | undefined;
  if (parse === undefined) return;
  option.argParser((value: string, previous: unknown): unknown => {
    try {
      return parse(value, previous);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      wrong.push(`${nameOf(option)} ${wordsOf(error, { option, value })}`);
      return value;
    }
  });
}

function wordsOf({ message }: Error, { option, value }: { readonly option: Option; readonly value: string }): string {
  const { argChoices: choices } = option;
  if (choices === undefined) return message.replace(/^It /, '').replace(/\.$/, '');
  const meant = nearest(value, choices);
  return `must be one of ${choices.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

/** What is only missing is one sentence, with an example of what is not. */
function refuse(command: Command, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const missing = problems.flatMap((problem) => /^(\S+) is missing$/.exec(problem)?.[1] ?? []);
  const others = problems.filter((problem) => !/^\S+ is missing$/.test(problem));
  const absent = missing.length === 0 ? [] : [`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`];
  const example = exampleOf(command).trim();
  if (others.length === 0) throw new JobError('PAYLOAD_INVALID', { message: `${absent.join('')}. ${example}` });
  const all = [...absent, ...others];
  throw new JobError('PAYLOAD_INVALID', {
    message: `${all.join('; ')}.`,
    context: { problems: all, ...(all.length > 1 ? { example } : {}) },
  });
}
