/** Which hosts are this machine itself. Decides whether a login, TLS or a proxy is needed. Pure. */
const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const loopbackV4 = new RegExp(`^127(?:\\.${OCTET}){3}$`);

/** `host`: a name or an address, as in a URL (`[::1]`) or as a listener takes it (`::1`). */
export function isLoopback(host: string): boolean {
  const name = withoutBrackets(host.toLowerCase());
  return name === 'localhost' || name === '::1' || loopbackV4.test(name);
}

export function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
