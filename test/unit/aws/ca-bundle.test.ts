import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { loadCaBundle } from '../../../src/aws/ca-bundle.ts';

describe('AWS_CA_BUNDLE', () => {
  it('is read when it is set', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyferry-ca-'));
    const file = join(folder, 'ca.pem');
    const text = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n';
    writeFileSync(file, text);
    expect(await loadCaBundle({ AWS_CA_BUNDLE: file })).toBe(text);
    rmSync(folder, { recursive: true });
    expect(await loadCaBundle({})).toBeUndefined();
  });

  it.each(['/nowhere/ca.pem', '/dev/null'])('stops the start when it is %s', async (file) => {
    await expect(loadCaBundle({ AWS_CA_BUNDLE: file })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
