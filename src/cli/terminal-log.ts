/** The log of a command: lines of JSON, or lines for people where stderr is a terminal. */
import { type Environment, processEnvironment } from '../config/environment.ts';
import { createLog, type Log, toStderr } from '../observe/log.ts';
import { mayColor } from './screen.ts';

export async function openLog(level: string): Promise<Log> {
  if (!process.stderr.isTTY) return createLog({ level });
  const format = await createLineFormat(processEnvironment());
  const screen = toStderr();
  return createLog({ level }, { write: (line) => screen.write(format(line)) });
}

/** One line of JSON as one line for people. Redaction came before it. */
export async function createLineFormat(environment: Environment): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: mayColor(environment),
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
    // Errors are fields like the others.
    errorLikeObjectKeys: [],
  });
  // Texts from outside may hold what a terminal obeys.
  return (line) => pretty(line.replace(/\\u00[01][0-9a-f]|[\u007f-\u009f]/g, '?'));
}
