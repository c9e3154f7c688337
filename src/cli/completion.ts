/**
 * `keyferry --completion bash|zsh|fish`: a script for the shell, made from the commands themselves.
 * It is static, so that a key press starts nothing.
 */
import type { Command, Option } from 'commander';

import { JobError } from '../errors.ts';

interface Value {
  /** `--to`, or nothing for a positional argument. */
  readonly option: string;
  /** Empty where anything may follow. */
  readonly choices: readonly string[];
}

/** What may follow a path of words, such as `sync create`. */
interface Place {
  readonly path: string;
  readonly words: readonly Word[];
  readonly values: readonly Value[];
}

interface Word {
  readonly name: string;
  readonly description: string;
}

const scripts = { bash: toBash, zsh: toZsh, fish: toFish } as const;
type Shell = keyof typeof scripts;

const isShell = (text: string): text is Shell => text in scripts && Object.hasOwn(scripts, text);

/** `--completion bash` or `--completion=bash`. */
export function completionOf(program: Command, [option = '', next = '', ...others]: readonly string[]): string {
  const [, shell = next] = option.split('=');
  if (isShell(shell) && others.length === 0) return scripts[shell](placesOf(program, ''));
  throw new JobError('PAYLOAD_INVALID', {
    message: `--completion must be alone, with one of ${Object.keys(scripts).join(', ')}. Example: \`eval "$(keyferry --completion bash)"\``,
  });
}

function placesOf(command: Command, path: string): readonly Place[] {
  const options = command.options.filter((option) => !option.hidden);
  const commands = command.commands.map((one) => ({ name: one.name(), description: one.description() }));
  const choices = command.registeredArguments.flatMap((one) => one.argChoices ?? []);
  const place: Place = {
    path,
    words: [
      ...commands,
      ...choices.map((name) => ({ name, description: '' })),
      ...options.map((option) => ({ name: nameOf(option), description: option.description })),
      { name: '--help', description: 'display help' },
    ],
    values: options
      .filter((option) => option.required || option.optional)
      .map((option) => ({ option: nameOf(option), choices: option.argChoices ?? [] })),
  };
  return [place, ...command.commands.flatMap((one) => placesOf(one, `${path} ${one.name()}`.trim()))];
}

const nameOf = ({ long, flags }: Option): string => long ?? flags;

/** `compgen` splits words at blanks; names have none. */
function toBash(places: readonly Place[]): string {
  const words = places.map(
    ({ path, words: all }) => `    '${path}') words='${all.map(({ name }) => name).join(' ')}' ;;`,
  );
  const values = places.flatMap((place) =>
    place.values.map(({ option, choices }) => `    '${place.path} ${option}') words='${choices.join(' ')}' ;;`),
  );
  const paths = places.map(({ path }) => `'${path}'`).filter((path) => path !== "''");
  return `# Completion of keyferry for bash: eval "$(keyferry --completion bash)"
_keyferry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="" path="" words="" word index
  if ((COMP_CWORD > 1)); then previous="\${COMP_WORDS[COMP_CWORD-1]}"; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${path:+$path }\${COMP_WORDS[index]}"
    case "$word" in
    ${paths.join(' | ')}) path="$word" ;;
    *) break ;;
    esac
  done
  case "$path" in
${words.join('\n')}
  esac
  case "$path $previous" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current")) || :
}
complete -o default -F _keyferry keyferry
`;
}

function toZsh(places: readonly Place[]): string {
  return `# Completion of keyferry for zsh: eval "$(keyferry --completion zsh)"
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
${toBash(places).split('\n').slice(1).join('\n')}`;
}

function toFish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words, values }) =>
    words.map(({ name, description }) => {
      const value = values.find(({ option }) => option === name);
      const what = name.startsWith('--') ? `-l ${name.slice(2)}` : `-a ${name}`;
      const needs = value === undefined ? '' : value.choices.length === 0 ? ' -r' : ` -xa '${value.choices.join(' ')}'`;
      const about = description === '' ? '' : ` -d '${description.replaceAll(/['\\]/g, '\\$&')}'`;
      return `complete -c keyferry -n "__keyferry_at '${path}'" ${what}${needs}${about}`;
    }),
  );
  const paths = places.map(({ path }) => `'${path}'`).join(' ');
  return `# Completion of keyferry for fish: keyferry --completion fish | source
function __keyferry_at
    set -l path ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim "$path $word")
        contains -- $next ${paths}; or break
        set path $next
    end
    test "$path" = "$argv[1]"
end
complete -c keyferry -f
${lines.join('\n')}
`;
}
