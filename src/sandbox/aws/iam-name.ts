/** What IAM takes as a name. */

/** IAM's own rule, the same for both. */
export function requireIamName(what: 'user' | 'role', name: string): void {
  if (/^[\w+=,.@-]{1,64}$/.test(name)) return;
  throw new Error(
    `Not a name for an IAM ${what}: ${name} (1 to 64 letters, digits and the characters _+=,.@- without spaces)`,
  );
}
