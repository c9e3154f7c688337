/** The contract suites on the sandbox; other endpoints have `npm run test:contract`. */
import { test } from 'vitest';
import { CONTRACT_CASES, caseId } from '../../contract/suites.ts';
import { createSandboxTarget } from '../../contract/sandbox-target.ts';

const target = createSandboxTarget();

test.each(CONTRACT_CASES.map((contractCase) => [caseId(contractCase), contractCase] as const))(
  '%s',
  async (_, contractCase) => {
    await contractCase.run(target);
  },
);
