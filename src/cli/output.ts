/**
 * What a command prints: one JSON document with `--json`, else tables and sentences. Results go to
 * stdout, everything else to stderr.
 */

import { formatRelative } from '../domain/span.ts';
import { cutText } from '../domain/text.ts';
import { inFlags } from './flags.ts';
import { colored, currentScreen, type Screen } from './screen.ts';

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

/** A table cell is short; the object's own report has the full text. */
const MAX_CELL = 88;
/**
 * Only longer texts are shortened, down to this width: states, times, numbers and account ids are
 * never cut.
 */
const MIN_TEXT = 16;
const GAP = 2;
const NOTHING = '–';

/** Columns whose words are states. */
const stateHeadings: ReadonlySet<string> = new Set(['STATUS', 'DRIFT', 'STATE']);

/**
 * Columns as wide as their content, and together no wider than the terminal; the last one is not
 * padded. Where they do not fit, a list of facts for each row.
 */
export function table(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  screen: Screen = currentScreen(),
): string {
  const cells = rows.map((row) => row.map((cell) => toText(cell, screen.now)));
  const widths = fit(
    headings.map((heading, column) =>
      Math.max(heading.length, ...cells.map((row) => Math.min(MAX_CELL, row[column]?.length ?? 0))),
    ),
    screen.columns,
  );
  if (widths === undefined) return rows.map((row) => factsOf(headings, row, screen)).join('\n\n');
  const padded = (row: readonly string[]) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === row.length - 1 ? cut(cell, width) : cut(cell, width).padEnd(width);
    });
  const shown = (row: readonly string[]) =>
    padded(row).map((cell, column) => (stateHeadings.has(headings[column] ?? '') ? colored(cell, screen) : cell));
  const line = (row: readonly string[]) => row.join(' '.repeat(GAP)).trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join(' '.repeat(GAP));
  return [line(padded(headings)), rule, ...cells.map((row) => line(shown(row)))].join('\n');
}

function factsOf(headings: readonly string[], row: readonly Cell[], screen: Screen): string {
  const width = Math.max(...headings.map((heading) => heading.length));
  return headings
    .map((heading, column) => ({ heading, text: toText(row[column], screen.now) }))
    .filter(({ text }) => text !== NOTHING)
    .map(({ heading, text }) => {
      const shown = stateHeadings.has(heading) ? colored(text, screen) : text;
      return `${heading.padEnd(width)}  ${shown}`;
    })
    .join('\n');
}

/** Shortens the widest column until all fit; undefined when none can be shortened further. */
function fit(widths: readonly number[], columns: number | undefined): readonly number[] | undefined {
  const fitted = [...widths];
  const total = () => fitted.reduce((sum, width) => sum + width, GAP * (fitted.length - 1));
  while (columns !== undefined && total() > columns) {
    const widest = Math.max(...fitted);
    if (widest <= MIN_TEXT) return undefined;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${cutText(text, width - 1)}…`;
}

function toText(cell: Cell, now: Date | undefined): string {
  if (cell === null || cell === undefined || cell === '') return NOTHING;
  // Messages of the domain name fields.
  if (!(cell instanceof Date)) return inFlags(String(cell));
  return now === undefined ? moment(cell) : formatRelative(cell, now);
}

/**
 * When something happens next. Overdue work happens as soon as a worker takes it, so the time is
 * never in the past.
 */
export function upcoming(
  at: Date | null,
  {
    now = new Date(),
    pausedAt = null,
    isRunning = false,
  }: { readonly now?: Date; readonly pausedAt?: Date | null; readonly isRunning?: boolean } = {},
): Cell {
  if (pausedAt !== null) return 'paused';
  if (at === null || at > now) return at;
  // The run under way decides when the next one is.
  return isRunning ? null : 'now';
}

/** `2026-11-23 08:15:04Z`. */
export function moment(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/**
 * Label and value, aligned; empty values are left out. On a terminal times also say how long ago
 * they were.
 */
export function fields(entries: readonly (readonly [string, Cell])[], { now }: Screen = currentScreen()): string {
  const shown = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  const text = (value: Cell) =>
    value instanceof Date && now !== undefined
      ? `${moment(value)} (${formatRelative(value, now)})`
      : toText(value, undefined);
  return shown.map(([label, value]) => `${label.padEnd(width)}  ${text(value)}`).join('\n');
}

export function indent(text: string, by = '  '): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? line : by + line))
    .join('\n');
}
