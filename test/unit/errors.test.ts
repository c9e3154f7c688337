import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { errorTable, JobError, toJobError } from '../../src/errors.ts';
import { renderErrors } from '../support/errors-document.ts';

describe('the registry of errors', () => {
  it('is told whole and unchanged by docs/errors.md', () => {
    const file = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    expect(file).toBe(renderErrors());
  });

  it('names a family that exists', () => {
    const families =
      /^(CONFIG|PAYLOAD|QUEUE|IDENTITY|WEBHOOK|SOURCE|CONNECTION|SECRET|SYNC|KEY|AWS|DB|KMS|LEASE|BUG)_[A-Z_]+$/;
    expect(Object.keys(errorTable).filter((code) => !families.test(code))).toEqual([]);
  });

  it('keeps public messages short, and unknown errors private', () => {
    expect(new JobError('BUG_UNEXPECTED', { message: 'x'.repeat(1_000) }).publicMessage).toHaveLength(256);
    expect(toJobError(new Error('planted value')).publicMessage).not.toContain('planted');
  });
});
