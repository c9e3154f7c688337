/**
 * What a page shows, compared with what was printed. `…` stands for anything that is left out: the
 * rest of a text, the elements of a list, further fields. Ids and times differ from run to run: any
 * of their form will do. All else must be equal, and nothing may be missing.
 */
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

/** JSON with `…` in it. */
export function parseShown(json: string): unknown {
  return JSON.parse(json.replace(/\[ … \]/g, '["…"]').replace(/, …( ?[\]}])/g, ', "…": "…"$1'));
}

/** Where the two differ, as paths; empty when they do not. */
export function differences(shown: unknown, actual: unknown, path = '$'): readonly string[] {
  if (typeof shown === 'string') return isAlike(shown, actual) ? [] : [`${path}: ${JSON.stringify(actual)}`];
  if (Array.isArray(shown)) {
    if (!Array.isArray(actual)) return [`${path} is no list`];
    if (shown[0] === '…') return [];
    if (shown.length !== actual.length) return [`${path} has ${String(actual.length)} elements`];
    return shown.flatMap((one, index) => differences(one, actual[index], `${path}[${String(index)}]`));
  }
  if (typeof shown === 'object' && shown !== null) return ofObjects(shown, actual, path);
  return shown === actual ? [] : [`${path}: ${JSON.stringify(actual)}`];
}

function ofObjects(shown: object, actual: unknown, path: string): readonly string[] {
  if (typeof actual !== 'object' || actual === null) return [`${path} is no object`];
  const isCut = '…' in shown;
  const extra = Object.keys(actual).filter((name) => !(name in shown));
  return [
    ...Object.entries(shown)
      .filter(([name]) => name !== '…')
      .flatMap(([name, value]) => differences(value, (actual as Record<string, unknown>)[name], `${path}.${name}`)),
    ...(isCut ? [] : extra.map((name) => `${path}.${name} is not shown`)),
  ];
}

function isAlike(shown: string, actual: unknown): boolean {
  if (typeof actual !== 'string') return false;
  if (UUID.test(shown)) return UUID.test(actual);
  if (TIME.test(shown)) return TIME.test(actual);
  return toPattern(shown).test(actual);
}

/**
 * The lines of a shown text that were not printed in this order; runs of blanks and rules of tables
 * count alike.
 */
export function missingLines(shown: string, printed: string): readonly string[] {
  const lines = printed.split('\n').map(plain);
  let from = 0;
  return shown
    .split('\n')
    .filter((line) => line.trim() !== '')
    .filter((line) => {
      const found = lines.slice(from).findIndex((one) => toPattern(plain(line)).test(one));
      if (found >= 0) from += found + 1;
      return found < 0;
    });
}

const plain = (line: string) => line.replace(/ {2,}/g, '  ').replace(/─+/g, '─').trimEnd();

function toPattern(shown: string): RegExp {
  const parts = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
