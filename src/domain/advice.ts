/**
 * Advice to operators: its commands with the name of the object, and whether a message gives it
 * already. Pure.
 */
const namedKinds = ['connection', 'sync', 'rotation'] as const;

export interface Named {
  readonly kind: (typeof namedKinds)[number];
  readonly name: string;
}

export const isNamedKind = (text: string): text is Named['kind'] => namedKinds.some((kind) => kind === text);

/**
 * Completes `keyferry sync run`, or `keyferry sync run NAME`, with the name, before its options, so
 * that it can be pasted.
 */
export function withName(advice: string, { kind, name }: Named): string {
  return advice.replace(
    /`keyferry (connection|sync|rotation) (\w+)(?: NAME)?(?=`| --)/g,
    (command: string, noun: string, verb: string) =>
      noun === kind && verb !== 'create' && verb !== 'list' ? `\`keyferry ${noun} ${verb} ${name}` : command,
  );
}

/** Share of an advice's words that a message must contain to count as giving the same advice. */
const SAME = 0.7;

/**
 * True when the message contains the advice, or each of its commands with any options or fields, or
 * nearly all of its words.
 */
export function isSaid(message: string, advice: string): boolean {
  if (message.includes(advice)) return true;
  const given = commandsIn(message);
  const commands = commandsIn(advice);
  if (commands.length > 0) return commands.every((command) => given.includes(command));
  const said = new Set(wordsOf(message));
  const words = wordsOf(advice);
  return words.filter((word) => said.has(word)).length >= SAME * words.length;
}

/** `keyferry sync run` and `run the sync with …` are the same. */
function commandsIn(text: string): readonly string[] {
  const orders = text.replace(
    /\b(run|update|delete) the (\w+) with `/gi,
    (_, verb: string, noun: string) => `\`keyferry ${noun} ${verb.toLowerCase()}\` \``,
  );
  return [...orders.matchAll(/`(keyferry(?: [\w-]+){1,2})[^`]*`/g)].map((match) => match[1] ?? '');
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[a-z]+/g) ?? [];
