/**
 * Seeded randomness: two sandboxes with the same seed and the same calls give the same ids, delays
 * and faults.
 */
export interface SandboxRandom {
  /** A number in [0, 1). */
  next(): number;
  /** `length` characters of `alphabet`. */
  text(length: number, alphabet: string): string;
  /**
   * A number in [0, 1) that depends on the seed and the parts only, not on what was drawn before.
   */
  drawFor(...parts: readonly string[]): number;
}

export const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
export const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function createRandom(seed: number): SandboxRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state);
  };
  return {
    next,
    text: (length, alphabet) => {
      let out = '';
      for (let i = 0; i < length; i += 1) out += alphabet[Math.floor(next() * alphabet.length)] ?? '';
      return out;
    },
    drawFor: (...parts) => mix(hash(seed >>> 0, parts.join('\u0000'))),
  };
}

/** The output step of mulberry32. */
function mix(value: number): number {
  let t = Math.imul(value ^ (value >>> 15), value | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

/** FNV-1a. */
function hash(seed: number, text: string): number {
  let h = (2166136261 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
}
