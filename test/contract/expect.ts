/** What the cases assert with; plain assertions, so that they run outside of a test runner too. */
import assert from 'node:assert/strict';

export interface AwsAnswer extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The call must fail with one of these names; answers the error. */
export async function refused(call: Promise<unknown>, ...names: readonly string[]): Promise<AwsAnswer> {
  let answer: unknown;
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof Error, 'rejected with something that is no error');
    const found = error as AwsAnswer;
    assert.ok(names.includes(found.name), `expected ${names.join(' or ')}, got ${found.name}: ${found.message}`);
    answer = found;
  }
  assert.ok(answer !== undefined, `expected ${names.join(' or ')}, but the call succeeded`);
  return answer as AwsAnswer;
}

/** And with this HTTP status. */
export async function refusedWith(status: number, call: Promise<unknown>, ...names: readonly string[]): Promise<void> {
  const answer = await refused(call, ...names);
  assert.equal(answer.$metadata?.httpStatusCode, status, `HTTP status of ${answer.name}`);
}
