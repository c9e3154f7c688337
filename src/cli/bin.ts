/** Entry point of the program `keyferry`. */
import { reportError } from './exit.ts';
import { createOutput } from './output.ts';
import { runCommandLine } from './program.ts';

// The SDK prints a line on stderr for every old Node; what keyferry supports stands in package.json.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

try {
  await runCommandLine(process.argv.slice(2));
} catch (error) {
  process.exitCode = reportError(createOutput({ isJson: process.argv.includes('--json') }), error);
}
