#!/usr/bin/env node
/**
 * The program `keyferry`. An installed package holds only `dist`; in a checkout the sources run
 * directly, so that an edit takes effect without a build, unless a build is newer than all of them.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = join(ROOT, 'dist', 'cli', 'bin.js');
const SOURCES = join(ROOT, 'src');

// The SDK prints one line on stderr for every old Node; what keyferry supports is written in
// package.json.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

function isBuildCurrent() {
  if (!existsSync(BUILT)) return false;
  if (!existsSync(SOURCES)) return true;
  const builtAt = statSync(BUILT).mtimeMs;
  const files = readdirSync(SOURCES, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.every((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs <= builtAt);
}

async function runSources() {
  const { register } = await import('tsx/esm/api');
  register();
  await import('../src/cli/bin.ts');
}

function explainMissing(error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || existsSync(join(ROOT, 'node_modules'))) throw error;
  process.stderr.write(`keyferry: the dependencies are not installed. Run \`npm ci\` in ${ROOT} first.\n`);
  process.exitCode = 2;
}

try {
  if (isBuildCurrent()) await import('../dist/cli/bin.js');
  else await runSources();
} catch (error) {
  explainMissing(error);
}
