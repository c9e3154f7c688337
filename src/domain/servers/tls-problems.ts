/**
 * What is wrong with a server's certificate, by the code that Node gives; the same words for
 * PostgreSQL, Redis and AWS. Pure.
 */

const problems: readonly (readonly [RegExp, string])[] = [
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet; compare the clocks'],
  [/^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/, 'its certificate is for another host name'],
  [/^CERT_REVOKED$/, 'its certificate is revoked'],
  [/^(DEPTH_ZERO_)?SELF_SIGNED_CERT/, 'its certificate is signed by an authority that is not trusted here'],
  [/^UNABLE_TO_|^CERT_UNTRUSTED$/, 'its certificate is signed by an authority that is not trusted here'],
  [/^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|EPROTO)$/, 'it does not speak TLS on this port'],
  [/^(ERR_SSL_|ERR_TLS_|CERT_)/, 'the TLS handshake failed'],
];

/** Undefined when the code is not about TLS. */
export function tlsProblem(code: string): string | undefined {
  return problems.find(([pattern]) => pattern.test(code))?.[1];
}
