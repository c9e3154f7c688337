/**
 * What a test world wants checked once the present test is over. `setup.ts` runs it after every
 * test.
 */
type Check = () => Promise<void>;

const checks: Check[] = [];

export function afterThisTest(check: Check): void {
  checks.push(check);
}

export async function runChecks(): Promise<void> {
  for (const check of checks.splice(0)) await check();
}
