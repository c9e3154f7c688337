/**
 * What worlds of the same database share: servers and clients are made once, each world has an org
 * and an AWS account of its own. Free of the test runner: benches and chaos programs open one too.
 */
import { openDatabase, type DatabaseHandle } from '../../src/db/client.ts';
import { createEncryption, type Encryption } from '../../src/db/encryption.ts';

export interface Stage {
  readonly databaseUrl: string;
  readonly handle: DatabaseHandle;
  readonly encryption: Encryption;
  close(): Promise<void>;
}

export function openStage(databaseUrl: string): Stage {
  const handle = openDatabase(databaseUrl, { poolSize: 6 });
  const encryption = createEncryption([{ id: 'test', key: Buffer.alloc(32, 7) }]);
  return { databaseUrl, handle, encryption, close: () => handle.close() };
}
