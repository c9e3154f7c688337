/**
 * `AWS_CA_BUNDLE`, which AWS's other SDKs know and the JavaScript one does not: the certificates
 * that AWS's endpoints are checked against.
 */
import { readFile } from 'node:fs/promises';

import { JobError } from '../errors.ts';
import type { EndpointEnvironment } from './endpoints.ts';

/** The bundle's text; undefined when none is set. Throws CONFIG_INVALID when it cannot be used. */
export async function loadCaBundle(env: EndpointEnvironment): Promise<string | undefined> {
  const file = env.AWS_CA_BUNDLE;
  if (file === undefined || file === '') return undefined;
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text?.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new JobError('CONFIG_INVALID', {
    message: 'AWS_CA_BUNDLE does not name a readable file of certificates in PEM form.',
    context: { problems: ['AWS_CA_BUNDLE does not name a readable file of certificates in PEM form'] },
  });
}
