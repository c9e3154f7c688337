/**
 * KMS, data keys and ciphertexts of symmetric keys, as documented: API reference, and KMS developer
 * guide on encryption context, key states and key policies.
 */
import assert from 'node:assert/strict';
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms';

import { contractCases } from './case.ts';
import { refused, refusedWith } from './expect.ts';
import { allow, type Clients, type ContractTarget, type Policy } from './target.ts';

const STATES = 'KMS developer guide, "Key states of AWS KMS keys"';
const CONTEXT = 'KMS developer guide, "Encryption context"';
const POLICIES = 'KMS developer guide, "Key policies in AWS KMS" and "Troubleshooting AWS KMS permissions"';

const USE = ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'];
const PLAINTEXT = Buffer.from('thirty-two bytes that are no key');
const EncryptionContext = { purpose: 'contract', org: 'acme' };

function keysOf({ kmsKeys }: ContractTarget) {
  assert.ok(kmsKeys !== undefined, 'the target makes no KMS keys');
  return kmsKeys;
}

async function userWith(target: ContractTarget, policy: Policy): Promise<Clients & { readonly arn: string }> {
  const { userName, arn } = await target.createUser(policy);
  return { ...target.clientsFor(await target.createKey(userName)), arn };
}

const generate = ({ kms }: Clients, KeyId: string, more = {}) =>
  kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext, ...more }));

const encrypt = ({ kms }: Clients, KeyId: string, more = {}) =>
  kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT, EncryptionContext, ...more }));

const decrypt = ({ kms }: Clients, CiphertextBlob: Uint8Array | undefined, more = {}) =>
  kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext, ...more }));

/** All that owner and named principals need: a key policy replaces the default one. */
function keyPolicy(target: ContractTarget, statements: Policy['Statement']): Policy {
  const owner = allow(['kms:*'], { Principal: { AWS: `arn:aws:iam::${target.accountId}:root` } });
  return { ...owner, Statement: [...owner.Statement, ...statements] };
}

export const KMS_CASES = contractCases('kms', {
  'GenerateDataKey gives 32 bytes, in clear and wrapped, that only Decrypt opens': async (target) => {
    const { arn } = await keysOf(target).create();
    const made = await generate(target.admin, arn);
    assert.equal(made.Plaintext?.length, 32);
    assert.equal(made.KeyId, arn);
    assert.ok(!Buffer.from(made.CiphertextBlob!).includes(Buffer.from(made.Plaintext)));
    const opened = await decrypt(target.admin, made.CiphertextBlob, { KeyId: arn });
    assert.deepEqual(Buffer.from(opened.Plaintext!), Buffer.from(made.Plaintext));
    assert.equal(opened.KeyId, arn);
    assert.equal(opened.EncryptionAlgorithm, 'SYMMETRIC_DEFAULT');
  },
  'GenerateDataKey wants either a key spec or a number of bytes': async (target) => {
    const { keyId } = await keysOf(target).create();
    await refusedWith(400, generate(target.admin, keyId, { KeySpec: undefined }), 'ValidationException');
    await refusedWith(400, generate(target.admin, keyId, { NumberOfBytes: 16 }), 'ValidationException');
    const { Plaintext } = await generate(target.admin, keyId, { KeySpec: undefined, NumberOfBytes: 64 });
    assert.equal(Plaintext?.length, 64);
  },
  'Encrypt takes 1 to 4,096 bytes, and Decrypt finds the key in the ciphertext': async (target) => {
    const { keyId } = await keysOf(target).create();
    for (const size of [0, 4_097])
      await refused(encrypt(target.admin, keyId, { Plaintext: Buffer.alloc(size) }), 'ValidationException');
    const { CiphertextBlob } = await encrypt(target.admin, keyId);
    assert.deepEqual(Buffer.from((await decrypt(target.admin, CiphertextBlob)).Plaintext!), PLAINTEXT);
  },
  'a ciphertext opens with its encryption context only, in any order of its names': {
    source: CONTEXT,
    run: async (target) => {
      const { keyId } = await keysOf(target).create();
      const { CiphertextBlob } = await encrypt(target.admin, keyId);
      await decrypt(target.admin, CiphertextBlob, { EncryptionContext: { org: 'acme', purpose: 'contract' } });
      for (const other of [undefined, {}, { ...EncryptionContext, org: 'globex' }, { purpose: 'contract' }])
        await refusedWith(
          400,
          decrypt(target.admin, CiphertextBlob, { EncryptionContext: other }),
          'InvalidCiphertextException',
        );
    },
  },
  'a ciphertext that was changed is InvalidCiphertextException': async (target) => {
    const { keyId } = await keysOf(target).create();
    const blob = Buffer.from((await encrypt(target.admin, keyId)).CiphertextBlob!);
    const last = blob.length - 1;
    blob.writeUInt8(blob.readUInt8(last) ^ 1, last);
    await refusedWith(400, decrypt(target.admin, blob), 'InvalidCiphertextException');
    await refusedWith(400, decrypt(target.admin, Buffer.from('no ciphertext')), 'InvalidCiphertextException');
  },
  'Decrypt with the id of another key is IncorrectKeyException': async (target) => {
    const [one, other] = [await keysOf(target).create(), await keysOf(target).create()];
    const { CiphertextBlob } = await encrypt(target.admin, one.keyId);
    await refusedWith(400, decrypt(target.admin, CiphertextBlob, { KeyId: other.arn }), 'IncorrectKeyException');
  },
  'a key that does not exist is NotFoundException': async (target) => {
    const none = '00000000-0000-4000-8000-000000000000';
    await refusedWith(400, generate(target.admin, none), 'NotFoundException');
    await refusedWith(400, generate(target.admin, 'alias/none'), 'NotFoundException');
    await refusedWith(400, target.admin.kms.send(new DescribeKeyCommand({ KeyId: none })), 'NotFoundException');
  },
  'a disabled key is DisabledException, for what it had wrapped as well': {
    source: STATES,
    run: async (target) => {
      const { keyId } = await keysOf(target).create();
      const { CiphertextBlob } = await generate(target.admin, keyId);
      await keysOf(target).disable(keyId);
      for (const call of [
        generate(target.admin, keyId),
        encrypt(target.admin, keyId),
        decrypt(target.admin, CiphertextBlob),
      ])
        await refusedWith(400, call, 'DisabledException');
      const { KeyMetadata } = await target.admin.kms.send(new DescribeKeyCommand({ KeyId: keyId }));
      assert.equal(KeyMetadata?.KeyState, 'Disabled');
      assert.equal(KeyMetadata.Enabled, false);
    },
  },
  'a key that waits for its deletion is KMSInvalidStateException': {
    source: STATES,
    run: async (target) => {
      const { keyId } = await keysOf(target).create();
      const { CiphertextBlob } = await generate(target.admin, keyId);
      await keysOf(target).scheduleDeletion(keyId);
      await refusedWith(400, generate(target.admin, keyId), 'KMSInvalidStateException');
      await refusedWith(400, decrypt(target.admin, CiphertextBlob), 'KMSInvalidStateException');
      const { KeyMetadata } = await target.admin.kms.send(new DescribeKeyCommand({ KeyId: keyId }));
      assert.equal(KeyMetadata?.KeyState, 'PendingDeletion');
    },
  },
  'with the key policy that a new key gets, policies of users decide': {
    source: POLICIES,
    run: async (target) => {
      const { arn } = await keysOf(target).create();
      const mayGenerate = await userWith(target, allow(['kms:GenerateDataKey'], { Resource: arn }));
      const { CiphertextBlob } = await generate(mayGenerate, arn);
      await refusedWith(400, decrypt(mayGenerate, CiphertextBlob), 'AccessDeniedException');
      await refusedWith(400, generate(await userWith(target, allow(['ssm:*'])), arn), 'AccessDeniedException');
    },
  },
  'a key policy that names a user of its account is enough, and one that names nobody refuses all': {
    source: POLICIES,
    run: async (target) => {
      const user = await userWith(target, allow(['ssm:*']));
      const named = await keysOf(target).create(
        keyPolicy(target, allow(['kms:GenerateDataKey'], { Principal: { AWS: user.arn } }).Statement),
      );
      await generate(user, named.arn);
      await refusedWith(400, encrypt(user, named.arn), 'AccessDeniedException');
      const other = await userWith(target, allow(USE));
      const only = await keysOf(target).create(
        allow(['kms:*'], { Principal: { AWS: `arn:aws:iam::${target.accountId}:user/admin` } }),
      );
      await refusedWith(400, generate(other, only.arn), 'AccessDeniedException');
    },
  },
  'an explicit deny of the key policy wins': {
    source: POLICIES,
    run: async (target) => {
      const user = await userWith(target, allow(USE));
      const deny = allow(['kms:Decrypt'], { Principal: { AWS: user.arn }, Effect: 'Deny' }).Statement;
      const { arn } = await keysOf(target).create(keyPolicy(target, deny));
      const { CiphertextBlob } = await generate(user, arn);
      await refusedWith(400, decrypt(user, CiphertextBlob), 'AccessDeniedException');
    },
  },
  'policies may demand an encryption context': {
    source: CONTEXT,
    run: async (target) => {
      const { arn } = await keysOf(target).create();
      const Condition = { StringEquals: { 'kms:EncryptionContext:purpose': 'contract' } };
      const user = await userWith(target, allow(USE, { Condition }));
      await generate(user, arn);
      await refusedWith(400, generate(user, arn, { EncryptionContext: { purpose: 'other' } }), 'AccessDeniedException');
    },
  },
  'a dry run answers with DryRunOperationException, or with what would refuse': async (target) => {
    const { keyId } = await keysOf(target).create();
    await refused(generate(target.admin, keyId, { DryRun: true }), 'DryRunOperationException');
    await keysOf(target).disable(keyId);
    await refused(generate(target.admin, keyId, { DryRun: true }), 'DisabledException');
  },
});
