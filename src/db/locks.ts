/**
 * The advisory locks of keyferry. The numbers are arbitrary and never change: versions that run
 * side by side must mean the same lock by them.
 */
export const lockKeys = {
  dispatch: { validate: 731_195_301, sync: 731_195_302, rotate: 731_195_303 },
  retention: 731_195_304,
  invariants: 731_195_305,
  notifications: 731_195_310,
  migration: 7_311_953_224,
} as const;
