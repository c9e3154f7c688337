/** What a command prints: one JSON document with `--json`, else tables and sentences. Results go to stdout, everything else to stderr. */

export interface Output {
  readonly isJson: boolean;
  /** The command's result: with `--json` the document, else the text. */
  result(document: unknown, text: () => string): void;
  /** A remark on stderr; never part of the result. */
  note(text: string): void;
}

export function createOutput({ isJson }: { readonly isJson: boolean }): Output {
  return {
    isJson,
    result(document, text) {
      process.stdout.write(isJson ? `${JSON.stringify(document, null, 2)}\n` : `${text()}\n`);
    },
    note(text) {
      process.stderr.write(`${text}\n`);
    },
  };
}

export type Cell = string | number | Date | null | undefined;

/** A cell of a table is one glance; the whole text stands in the object's own report. */
const MAX_CELL = 88;

/** Columns as wide as their content; the last one is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [headings, ...rows.map((row) => row.map((cell) => shorten(toText(cell))))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => '─'.repeat(width)).join('  '), ...lines.slice(1)].join('\n');
}

function shorten(text: string): string {
  return text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL - 1)}…`;
}

function toText(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '–';
  return cell instanceof Date ? moment(cell) : String(cell);
}

/** `2026-11-23 08:15:04Z`. */
export function moment(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/** Label and value, aligned; empty values are left out. */
export function fields(entries: readonly (readonly [string, Cell])[]): string {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${toText(value)}`).join('\n');
}

export function indent(text: string, by = '  '): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? line : by + line))
    .join('\n');
}
