/**
 * Which network addresses what tenants name may reach, webhooks and sources: public ones only.
 * Pure.
 */
import { BlockList, isIP } from 'node:net';

/**
 * Address blocks that are not public, from IANA's registries of special-purpose addresses, and
 * multicast.
 */
const closed = {
  ipv4: [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
    ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
    ...['224.0.0.0/4', '240.0.0.0/4'],
  ],
  // Among them all that carry an address of version 4, which a gateway or this machine itself would
  // take out.
  ipv6: [
    ...['::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32'],
    ...['2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
  ],
} as const;

/**
 * One list for each family: a list of both takes every address of version 4 for one of
 * `::ffff:0:0/96`.
 */
const blocks = { ipv4: toList('ipv4'), ipv6: toList('ipv6') };

function toList(family: keyof typeof closed): BlockList {
  const list = new BlockList();
  for (const block of closed[family]) {
    const [network = '', prefix] = block.split('/');
    list.addSubnet(network, Number(prefix), family);
  }
  return list;
}

/** False for anything that is no address, and for one with a zone, which is never public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return false;
  if (family === 4) return !blocks.ipv4.check(address, 'ipv4');
  const translated = translatedOf(address);
  return translated === undefined ? !blocks.ipv6.check(address, 'ipv6') : isPublicAddress(translated);
}

const NAT64 = new BlockList();
NAT64.addSubnet('64:ff9b::', 96, 'ipv6');

/**
 * The address of version 4 behind a NAT64 gateway, by which networks of version 6 alone reach the
 * rest.
 */
function translatedOf(address: string): string | undefined {
  if (!NAT64.check(address, 'ipv6')) return undefined;
  const [high = 0, low = 0] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .replace('64:ff9b::', '')
    .split(':')
    .map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].map((octet) => String(octet)).join('.');
}
