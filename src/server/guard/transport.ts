/**
 * Whether a secret may be typed into a page: only if nobody between the browser and this server can
 * read it. Decided by headers and the peer's address. Pure.
 */
import { isLoopback } from '../../domain/servers/loopback.ts';
import { hostName, isForwarded } from './hosts.ts';

export interface Transport {
  /** Of the peer; anything that is no address counts as far away. */
  readonly peer: string;
  header(name: string): string | undefined;
}

/**
 * True on loopback without a proxy, and where a proxy says that the browser came by TLS. The
 * browser's own headers take precedence: a page that it loaded by plain http from elsewhere is not
 * private, whatever the proxy adds.
 */
export function isPrivate({ peer, header }: Transport): boolean {
  const isLocalHost = isLoopback(hostName(header('host')) ?? '');
  if (!isForwarded(header)) return isLocalHost && isLoopback(peer.replace(/^::ffff:/, ''));
  const isPlainOrigin = !isLocalHost && header('origin')?.toLowerCase().startsWith('http://') === true;
  return !isPlainOrigin && isForwardedByTls(header);
}

/** Each proxy on the way must have said https. */
function isForwardedByTls(header: Transport['header']): boolean {
  const said = [
    ...listOf(header('x-forwarded-proto')),
    ...[...(header('forwarded') ?? '').matchAll(/proto="?([a-z]+)/gi)].map(([, protocol = '']) => protocol),
  ];
  return said.length > 0 && said.every((protocol) => protocol.toLowerCase() === 'https');
}

function listOf(header: string | undefined): readonly string[] {
  return (header ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
