/**
 * Who may log in to board and status page. KEYFERRY_BOARD_PASSWORD is the password of
 * KEYFERRY_BOARD_USER, or a list of lines: that password first where a user is set, then
 * `name:$scrypt$…` for each operator. Problems name a line by its number, never by what it holds.
 */
import { MIN_PASSWORD, operatorName, parsePasswordHash, type PasswordHash } from '../domain/password-hash.ts';

export interface OperatorSetting {
  readonly name: string;
  readonly password: PasswordHash;
}

export interface ConfiguredLogins {
  readonly login: { readonly user: string; readonly password: string } | undefined;
  readonly operators: readonly OperatorSetting[];
}

interface LoginSettings extends ConfiguredLogins {
  readonly problems: readonly string[];
}

const VARIABLE = 'KEYFERRY_BOARD_PASSWORD';

export function parseLogins(user: string | undefined, text: string | undefined): LoginSettings {
  if (text === undefined || !text.includes('$scrypt$')) return { ...parsePassword(user, text), operators: [] };
  const lines = text.split('\n').map((line) => line.trim());
  const password = user === undefined ? undefined : lines[0];
  const others = user === undefined ? lines : lines.slice(1);
  if (password?.includes('$scrypt$'))
    return failed(`${VARIABLE} line 1 must be the password of KEYFERRY_BOARD_USER; operators follow below`);
  const own = password === undefined ? { login: undefined, problems: [] } : parsePassword(user, password);
  const named = parseOperators(others, { firstLine: lines.length - others.length + 1, user });
  return { ...own, ...named, problems: [...own.problems, ...named.problems] };
}

function failed(problem: string): LoginSettings {
  return { login: undefined, operators: [], problems: [problem] };
}

function parsePassword(user: string | undefined, password: string | undefined): Omit<LoginSettings, 'operators'> {
  if (user === undefined && password === undefined) return { login: undefined, problems: [] };
  if (user === undefined || password === undefined)
    return { login: undefined, problems: [`KEYFERRY_BOARD_USER and ${VARIABLE}: set both or neither`] };
  if (password.length < MIN_PASSWORD)
    return { login: undefined, problems: [`${VARIABLE} must have at least ${String(MIN_PASSWORD)} characters`] };
  return { login: { user, password }, problems: [] };
}

interface Listed {
  readonly firstLine: number;
  readonly user: string | undefined;
}

/** Blank lines are left out. */
function parseOperators(lines: readonly string[], { firstLine, user }: Listed): Omit<LoginSettings, 'login'> {
  const operators: OperatorSetting[] = [];
  const problems: string[] = [];
  const taken = new Set([user]);
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const place = `${VARIABLE} line ${String(firstLine + index)}`;
    const operator = parseOperator(line);
    if (operator === undefined)
      problems.push(`${place} is not \`name:$scrypt$…\`; make one with \`keyferry keys generate --operator NAME\``);
    else if (taken.has(operator.name)) problems.push(`${place} has the name of an earlier login`);
    else operators.push(operator);
    taken.add(operator?.name);
  }
  return { operators, problems };
}

function parseOperator(line: string): OperatorSetting | undefined {
  const colon = line.indexOf(':');
  const { data: name } = operatorName.safeParse(line.slice(0, Math.max(colon, 0)));
  const password = parsePasswordHash(line.slice(colon + 1));
  return name === undefined || password === undefined ? undefined : { name, password };
}
