/** What may be shown of a server's URL: its hosts. Pure. */

/**
 * `host:port` of one URL, or of several separated by commas (a cluster, sentinels). Undefined when
 * it cannot be parsed, or when an `@` outside the login suggests that a password with an unescaped
 * `/`, `?`, `#` or comma was taken for a host.
 */
export function hostsOf(urls: string): string | undefined {
  const parts = urls.split(',').map((part) => part.trim());
  if (parts[0]?.includes('://') !== true) return undefined;
  const hosts = parts.map((part) => hostOf(part));
  return hosts.every((host) => host !== undefined) ? hosts.join(', ') : undefined;
}

function hostOf(text: string): string | undefined {
  const hasScheme = text.includes('://');
  const url = hasScheme ? text : `redis://${text}`;
  if (!URL.canParse(url)) return undefined;
  const { host, pathname, search, hash } = new URL(url);
  const isAmbiguous = [pathname, search, hash].some((part) => part.includes('@')) || (!hasScheme && text.includes('@'));
  return host === '' || isAmbiguous ? undefined : host;
}

/** Scheme and host, without login, path and query. */
export function originOf(url: string): string {
  const host = hostsOf(url);
  return host === undefined ? 'not a valid URL' : `${new URL(url).protocol}//${host}`;
}
