/**
 * Lines of comments and SQL that are too wide; code has the formatter's width. SQL is a template
 * that is tagged as such, or is handed to a call and begins like a statement.
 */
import ts from 'typescript';

const MAX_COLUMNS = 100;

/** Tags of drizzle, and of postgres.js by the names that its clients have here. */
const TAGS = /(^|\.)(sql|client|transaction|work)$/;
const STATEMENT = /^\s*(select|insert into|update [\w".]+ (\w+ )?set|delete from|with \w+ as)\s/;
/** They only work on a line of their own. */
const DIRECTIVE = /^\/[/*]\s*(eslint-|@ts-|prettier-)/;

export interface WideLine {
  readonly kind: 'comment' | 'SQL';
  readonly line: number;
}

export function wideLines(path: string, text: string): readonly WideLine[] {
  if (text.split('\n').every((line) => line.length <= MAX_COLUMNS)) return [];
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = { comment: new Set<number>(), SQL: new Set<number>() };
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    if (children.length === 0) for (const comment of commentsAround(node, text)) addWide(found.comment, file, comment);
    if (ts.isTemplateLiteral(node) && isSql(node)) for (const line of wideSql(node, file)) found.SQL.add(line);
    children.forEach(visit);
  };
  visit(file);
  const kinds = ['comment', 'SQL'] as const;
  return kinds.flatMap((kind) => [...found[kind]].map((line) => ({ kind, line: line + 1 })));
}

function commentsAround(token: ts.Node, text: string): readonly ts.TextRange[] {
  const leading = ts.getLeadingCommentRanges(text, token.pos) ?? [];
  const trailing = ts.getTrailingCommentRanges(text, token.end) ?? [];
  return [...leading, ...trailing].filter(({ pos, end }) => !DIRECTIVE.test(text.slice(pos, end)));
}

/** The lines of `range` on which it goes beyond the last column. */
function addWide(lines: Set<number>, file: ts.SourceFile, { pos, end }: ts.TextRange): void {
  const first = file.getLineAndCharacterOfPosition(pos).line;
  const last = file.getLineAndCharacterOfPosition(end).line;
  for (let line = first; line <= last; line += 1) {
    const start = file.getPositionOfLineAndCharacter(line, 0);
    const [shown = ''] = file.text.slice(start, end).split('\n');
    if (columns(shown) > MAX_COLUMNS) lines.add(line);
  }
}

/** As a reader counts them: a character of two code units is one. */
function columns(line: string): number {
  return Array.from(line.trimEnd()).length;
}

function isSql(node: ts.TemplateLiteral): boolean {
  if (ts.isTaggedTemplateExpression(node.parent)) return TAGS.test(node.parent.tag.getText().replace(/\s/g, ''));
  return ts.isCallExpression(node.parent) && STATEMENT.test(node.getText().slice(1));
}

/** Wide lines that could be broken: at white space of SQL, outside of quotes and embedded code. */
function wideSql(node: ts.TemplateLiteral, file: ts.SourceFile): readonly number[] {
  const wide = new Set<number>();
  addWide(wide, file, { pos: node.getStart(), end: node.end });
  const breakable = new Set<number>();
  for (const position of openSpaces(node, file.text)) {
    const { line, character } = file.getLineAndCharacterOfPosition(position);
    const start = position - character;
    const end = file.text.indexOf('\n', position);
    const isInside = file.text.slice(start, position).trim() !== '' && file.text.slice(position, end).trim() !== '';
    if (isInside) breakable.add(line);
  }
  return [...wide].filter((line) => breakable.has(line));
}

function openSpaces(node: ts.TemplateLiteral, text: string): readonly number[] {
  const spaces: number[] = [];
  let quote = '';
  for (const part of partsOf(node)) {
    for (let position = part.getStart() + 1; position < part.end; position += 1) {
      const character = text[position] ?? '';
      if (character === ' ' && quote !== "'" && quote !== '"') spaces.push(position);
      if (quote === '--') quote = character === '\n' ? '' : quote;
      else if (quote !== '') quote = character === quote ? '' : quote;
      else if (text.startsWith('--', position)) quote = '--';
      else if (character === "'" || character === '"') quote = character;
    }
  }
  return spaces;
}

function partsOf(node: ts.TemplateLiteral): readonly ts.Node[] {
  return ts.isTemplateExpression(node) ? [node.head, ...node.templateSpans.map(({ literal }) => literal)] : [node];
}
