/** Runs in every test file before its imports: no test sees the developer's own environment. */
import { afterAll, afterEach } from 'vitest';

import { enterSandboxEnvironment, findUnsafeVariables } from '../../src/sandbox/environment.ts';
import { runChecks } from './after-each.ts';
import { removeTemporaryDirectories } from './temporary-directory.ts';

enterSandboxEnvironment();
const unsafe = findUnsafeVariables(process.env);
if (unsafe.length > 0) throw new Error(`Tests do not run while these variables are set: ${unsafe.join(', ')}`);

afterEach(runChecks);
// Registered first, so that it runs last.
afterAll(removeTemporaryDirectories);
