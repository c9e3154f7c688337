/** Entry point of the program `keyferry`. */
import { exitCodes, reportError } from './exit.ts';
import { createOutput } from './output.ts';
import { runCommandLine } from './program.ts';

// The SDK prints a line on stderr for every old Node; what keyferry supports is in package.json.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const report = (error: unknown) => reportError(createOutput({ isJson: process.argv.includes('--json') }), error);

// Node would print an uncaught error as it is, with whatever a driver put into its message.
process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
  // The reader of the output is gone: `keyferry … | head`.
  process.exit(error.code === 'EPIPE' && error.syscall === 'write' ? exitCodes.done : report(error));
});

try {
  await runCommandLine(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
