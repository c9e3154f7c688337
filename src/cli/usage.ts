/**
 * Rewords what the command line parser refuses: the name that was probably meant, and the command
 * to paste. The parser's own sentences are written for developers.
 */
import { type Command, CommanderError } from 'commander';

import { nearest } from '../domain/nearest.ts';
import { JobError } from '../errors.ts';
import { examples } from './examples.ts';

/** `keyferry sync create` */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** ` Example: …`, of a command that has one. */
export function exampleOf(command: Command): string {
  const path = pathOf(command);
  const [example] = examples[path.replace(/^keyferry /, '')] ?? [];
  return example === undefined ? ` \`${path} --help\` lists what there is.` : ` Example: \`${example}\``;
}

/** Texts in quotes, as the parser names what it is about. */
const quoted = (message: string): readonly string[] => [...message.matchAll(/'([^']*)'/g)].map(([, text = '']) => text);

type Words = (command: Command, message: string) => string;

const wordsOf: Readonly<Record<string, Words>> = {
  'commander.unknownOption': (command, message) => {
    const [given = ''] = quoted(message);
    const known = command.options.flatMap(({ long }) => long ?? []);
    const meant = nearest(given, [...known, '--help']);
    return `\`${pathOf(command)}\` has no option ${given}${didYouMean(meant)}`;
  },
  'commander.unknownCommand': (command, message) => {
    const [given = ''] = quoted(message);
    const names = command.commands.map((one) => one.name());
    const meant = nearest(given, names);
    const path = pathOf(command);
    const others = meant === undefined ? `; \`${path} --help\` lists the commands` : '';
    return `There is no \`${path} ${given}\`${didYouMean(meant && `\`${path} ${meant}\``)}${others}`;
  },
  'commander.missingArgument': (_command, message) => `<${quoted(message)[0] ?? ''}> is missing`,
  'commander.optionMissingArgument': (_command, message) => {
    const [flags = ''] = quoted(message);
    return `${flags.split(' ')[0] ?? ''} needs a value: ${flags}`;
  },
  'commander.excessArguments': (command, message) => {
    const [, taken = '0', given = '0'] = /Expected (\d+) .* got (\d+)/.exec(message) ?? [];
    const names = command.registeredArguments.map((one) => `<${one.name()}>`).join(' ');
    const takes = taken === '0' ? 'no argument' : names;
    return `\`${pathOf(command)}\` takes ${takes}, and ${given} ${given === '1' ? 'was' : 'were'} given; quote a value that holds spaces`;
  },
  'commander.conflictingOption': (_command, message) => {
    const [one = '', other = ''] = quoted(message).map((flags) => flags.split(' ')[0]);
    return `${one} and ${other} exclude each other: give one of them`;
  },
};

const didYouMean = (meant: string | undefined): string => (meant ? `; did you mean ${meant}?` : '');

export function toUsageError(command: Command, { code, message }: CommanderError): JobError {
  const problem = wordsOf[code]?.(command, message) ?? message.replace(/^error: /, '');
  const sentence = /[.?]$/.test(problem) ? problem : `${problem}.`;
  const example = code === 'commander.unknownCommand' ? '' : exampleOf(command);
  return new JobError('PAYLOAD_INVALID', { message: `${sentence}${example}` });
}

/**
 * `help sync update` and `sync help update` as `sync update --help`: the parser shows the help of
 * the first word and passes over the rest, and over what does not exist, in silence.
 */
export function withHelpAsked(program: Command, args: readonly string[]): readonly string[] {
  const words = args.filter((arg) => !arg.startsWith('-'));
  const at = words.indexOf('help');
  if (words.length === 1 || (at !== 0 && at !== 1)) return args;
  const topic = words.toSpliced(at, 1);
  let command = program;
  for (const given of topic) {
    const next = command.commands.find((one) => one.name() === given || one.aliases().includes(given));
    if (next === undefined)
      throw toUsageError(command, new CommanderError(2, 'commander.unknownCommand', `unknown command '${given}'`));
    command = next;
  }
  return [...topic, '--help'];
}
