/** Commands of an advice, with the name of the object that it is about. Pure. */
export interface Named {
  readonly kind: 'connection' | 'sync' | 'rotation';
  readonly name: string;
}

/** Completes `keyferry sync run` with the name, before its options, so that it can be pasted. */
export function withName(advice: string, { kind, name }: Named): string {
  return advice.replace(
    /`keyferry (connection|sync|rotation) (\w+)(?=`| --)/g,
    (command: string, noun: string, verb: string) =>
      noun === kind && verb !== 'create' && verb !== 'list' ? `\`keyferry ${noun} ${verb} ${name}` : command,
  );
}
