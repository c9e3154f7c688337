/** An authority of a test's own and certificates of it, made with the openssl program. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTemporaryDirectory } from './temporary-directory.ts';

const run = promisify(execFile);

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface Authority {
  /** The file to trust. */
  readonly file: string;
  /** `days` may be negative: expired. */
  issue(name: string, options: { readonly altNames: string; readonly days?: number }): Promise<Certificate>;
}

export async function createAuthority(): Promise<Authority> {
  const folder = await createTemporaryDirectory('ca');
  const at = (name: string) => join(folder, name);
  const openssl = (...given: string[]) => run('openssl', given, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '30',
    '-subj',
    '/CN=test-ca',
  );
  return {
    file: at('ca.pem'),
    async issue(name, { altNames, days = 30 }) {
      const [certificateFile, keyFile] = [at(`${name}.pem`), at(`${name}.key`)];
      await openssl('req', ...newKey, '-keyout', keyFile, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      await writeFile(at(`${name}.ext`), `subjectAltName=${altNames}\n`);
      const dates =
        days < 0 ? ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z'] : ['-days', String(days)];
      const request = ['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
      await openssl(...request, '-out', certificateFile, '-extfile', `${name}.ext`, ...dates).catch(
        async (error: unknown) => {
          if (days >= 0) throw error;
          // Before OpenSSL 3.4 only `ca` can date a certificate back.
          await writeFile(at('index.txt'), '');
          await writeFile(at('serial'), '77\n');
          const config = `[ca]\ndefault_ca=own\n[own]\ndir=.\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n`;
          await writeFile(at('ca.cnf'), config);
          const past = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z', '-extfile', `${name}.ext`];
          const keys = [
            '-cert',
            'ca.pem',
            '-keyfile',
            'ca.key',
            '-in',
            `${name}.csr`,
            '-out',
            certificateFile,
            '-batch',
            '-notext',
          ];
          await openssl('ca', '-config', 'ca.cnf', ...keys, ...past);
        },
      );
      const [certificate, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
      return { certificate, key, certificateFile, keyFile };
    },
  };
}
