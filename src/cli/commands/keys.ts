/** `keyferry keys …`: the keys that encrypt what is stored. */
import type { Command } from 'commander';

import { generateEncryptionKey } from '../../config/values.ts';
import { auditedChange } from '../audited.ts';
import { done, leaf, readConfig, run, withProgram } from '../command.ts';
import { exitCodes } from '../exit.ts';
import { table } from '../output.ts';

export function addKeysCommands(parent: Command): void {
  const noun = parent.command('keys').description('the encryption keys of the database');
  run(leaf(noun, 'generate', 'print a new key for KEYFERRY_ENCRYPTION_KEYS'), ({ output }) => {
    const key = generateEncryptionKey();
    output.result({ key }, () => key);
    return Promise.resolve(done);
  });
  run(leaf(noun, 'check', 'which keys the rows use, and whether all of them are configured'), async (invocation) =>
    withProgram(await readConfig(invocation), 'error', async ({ stores }) => {
      const usage = await stores.encryptionKeys.usage();
      invocation.output.result(usage, () =>
        table(
          ['KEY', 'ROWS', 'CONFIGURED'],
          usage.map((one) => [one.keyId, one.rows, one.isConfigured ? 'yes' : 'NO']),
        ),
      );
      await stores.encryptionKeys.requireAll();
      return done;
    }),
  );
  run(leaf(noun, 'rewrap', 're-encrypt everything under the first key, online and restartable'), async (invocation) =>
    withProgram(await readConfig(invocation), 'error', async ({ stores }) => {
      const rewrapped = await auditedChange(stores.audit, 'keys.rewrap', () => stores.encryptionKeys.rewrap());
      invocation.output.result(rewrapped, () => {
        const failed = rewrapped.failed.map((place) => `\n  cannot be decrypted: ${place}`).join('');
        return `${String(rewrapped.rows)} rows re-encrypted under ${stores.encryption.currentKeyId}.${failed}`;
      });
      return rewrapped.failed.length === 0 ? exitCodes.done : exitCodes.failed;
    }),
  );
}
