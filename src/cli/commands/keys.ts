/** `keyferry keys …`: the keys that encrypt what is stored, and the passwords of operators. */
import { randomBytes } from 'node:crypto';

import type { Command } from 'commander';

import { generateEncryptionKey } from '../../config/encryption-key.ts';
import { MIN_PASSWORD, operatorName } from '../../domain/password-hash.ts';
import { JobError } from '../../errors.ts';
import { counted } from '../../domain/counted.ts';
import { done, leaf, readConfig, run, text, withProgram } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { readSecret } from '../input.ts';
import { table, type Output } from '../output.ts';

export function addKeysCommands(noun: Command): void {
  const generate = leaf(noun, 'generate', 'print a new key for KEYFERRY_ENCRYPTION_KEYS, or the login of an operator');
  generate.option(
    '--operator <name>',
    'print a line for KEYFERRY_BOARD_PASSWORD_FILE instead; the password is read from stdin, or generated and shown once',
  );
  run(generate, async ({ options, output }) => {
    const operator = text(options, 'operator');
    if (operator !== undefined) return generateOperator(operator, output);
    const key = generateEncryptionKey();
    output.result({ key }, () => key);
    return done;
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
      const fault = await stores.encryptionKeys.requireAll();
      if (fault) throw fault;
      return done;
    }),
  );
  run(
    leaf(
      noun,
      'rewrap',
      're-encrypt everything under the key that encrypts now, local or of AWS KMS; online and restartable',
    ),
    async (invocation) =>
      withProgram(await readConfig(invocation), 'error', async ({ stores }) => {
        const { auditedChange } = await import('../audited.ts');
        const rewrapped = await auditedChange(stores.audit, 'keys.rewrap', () => stores.encryptionKeys.rewrap());
        invocation.output.result(rewrapped, () => {
          const failed = rewrapped.failed.map((place) => `\n  cannot be decrypted: ${place}`).join('');
          return `${counted(rewrapped.rows, 'row')} re-encrypted under ${stores.encryption.currentKeyId}.${failed}`;
        });
        return rewrapped.failed.length === 0 ? exitCodes.done : exitCodes.failed;
      }),
  );
}

/**
 * The line goes to stdout, so that it can be appended to the file; a generated password goes to
 * stderr.
 */
async function generateOperator(given: string, output: Output): Promise<ExitCode> {
  const { data: name, error } = operatorName.safeParse(given);
  if (name === undefined)
    throw new JobError('PAYLOAD_INVALID', { message: `--operator ${error.issues[0]?.message ?? 'is not a name'}.` });
  const typed = await readSecret(`Password of ${name} (empty: one is generated)`);
  if (typed !== '' && typed.length < MIN_PASSWORD)
    throw new JobError('PAYLOAD_INVALID', {
      message: `The password has fewer than ${String(MIN_PASSWORD)} characters.`,
    });
  const password = typed === '' ? randomBytes(24).toString('base64url') : typed;
  const { hashPassword } = await import('../../server/guard/scrypt.ts');
  const line = `${name}:${await hashPassword(password)}`;
  const generated = typed === '' ? { password } : {};
  output.result({ operator: name, line, ...generated }, () => line);
  if (typed === '' && !output.isJson) output.note(`Password of ${name}, shown once: ${password}`);
  return done;
}
