/**
 * A ciphertext that AES-256-GCM opens under two keys: with two blocks of ciphertext, both tags are
 * linear in the second one, so that it can be chosen for them to be equal. Arithmetic in GF(2^128)
 * as in NIST SP 800-38D, for messages without padding and any associated data.
 */
import { createCipheriv } from 'node:crypto';

const BLOCK = 16;
const POLYNOMIAL = 0xe1n << 120n;

const toNumber = (block: Buffer): bigint => BigInt(`0x${block.toString('hex')}`);
const toBlock = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(2 * BLOCK, '0'), 'hex');

function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  let shifted = b;
  for (let bit = 127n; bit >= 0n; bit -= 1n) {
    if ((a >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ POLYNOMIAL : shifted >> 1n;
  }
  return product;
}

/** a^(2^128 − 2) */
function invert(a: bigint): bigint {
  let result = 1n << 127n;
  let power = a;
  for (let bit = 1; bit < 128; bit += 1) {
    power = multiply(power, power);
    result = multiply(result, power);
  }
  return result;
}

function encryptBlock(key: Buffer, block: Buffer): bigint {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return toNumber(Buffer.concat([cipher.update(block), cipher.final()]));
}

function blocksOf(data: Buffer): readonly bigint[] {
  const padded = Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
  return Array.from({ length: padded.length / BLOCK }, (_, at) =>
    toNumber(padded.subarray(at * BLOCK, (at + 1) * BLOCK)),
  );
}

export interface Collision {
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** `nonce`: 12 bytes. */
export function collide(keys: readonly [Buffer, Buffer], nonce: Buffer, associatedData: Buffer): Collision {
  const first = toNumber(Buffer.alloc(BLOCK, 0x5a));
  const lengths = (BigInt(associatedData.length * 8) << 64n) | BigInt(2 * BLOCK * 8);
  const start = Buffer.concat([nonce, Buffer.from([0, 0, 0, 1])]);
  const parts = keys.map((key) => {
    const h = encryptBlock(key, Buffer.alloc(BLOCK));
    const known = [...blocksOf(associatedData), first, 0n, lengths];
    const hash = known.reduce((sum, block) => multiply(sum ^ block, h), 0n);
    // The free block is multiplied by h twice: for itself and for the lengths after it.
    return { rest: hash ^ encryptBlock(key, start), factor: multiply(h, h) };
  });
  const [one, other] = parts as [(typeof parts)[0], (typeof parts)[0]];
  const free = multiply(one.rest ^ other.rest, invert(one.factor ^ other.factor));
  return {
    ciphertext: Buffer.concat([toBlock(first), toBlock(free)]),
    tag: toBlock(one.rest ^ multiply(free, one.factor)),
  };
}
