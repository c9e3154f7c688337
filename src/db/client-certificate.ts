/**
 * A client certificate with its key, as PEM: why the pair cannot be used, and until when it can.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

import type { CertificatePair } from '../domain/sources.ts';

/** Names no part of the key. */
export function certificateProblem({ certificate, key }: CertificatePair, now: Date): string | undefined {
  const parsed = parseCertificate(certificate);
  if (parsed === undefined) return 'clientCertificate is no certificate in PEM';
  const privateKey = parseKey(key);
  if (privateKey === undefined) return 'clientKey is no private key in PEM without a passphrase';
  if (!parsed.checkPrivateKey(privateKey)) return 'clientKey does not belong to clientCertificate';
  const { validFrom, validTo } = parsed;
  if (new Date(validTo) <= now) return `clientCertificate has expired: it was valid until ${isoOf(validTo)}`;
  if (new Date(validFrom) > now) return `clientCertificate is not valid before ${isoOf(validFrom)}`;
  return undefined;
}

/** ISO 8601, of a pair without a problem. */
export function expiryOf({ certificate }: CertificatePair): string {
  return isoOf(new X509Certificate(certificate).validTo);
}

function isoOf(text: string): string {
  return new Date(text).toISOString();
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
