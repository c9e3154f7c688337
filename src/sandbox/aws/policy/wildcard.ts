/** IAM's wildcards: `*` any run of characters, `?` exactly one. */
const compiled = new Map<string, RegExp>();
const CACHE_LIMIT = 5_000;

export function matchesWildcard(pattern: string, text: string): boolean {
  if (pattern === '*' || pattern === text) return true;
  if (!pattern.includes('*') && !pattern.includes('?')) return false;
  return toRegExp(pattern).test(text);
}

function toRegExp(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known) return known;
  const body = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  const made = new RegExp(`^${body}$`, 's');
  if (compiled.size >= CACHE_LIMIT) compiled.clear();
  compiled.set(pattern, made);
  return made;
}
