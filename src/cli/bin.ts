/** Entry point of the program `keyferry`. */
import { reportError } from './exit.ts';
import { createOutput } from './output.ts';
import { runCommandLine } from './program.ts';

try {
  await runCommandLine(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(createOutput({ isJson: process.argv.includes('--json') }), error);
}
