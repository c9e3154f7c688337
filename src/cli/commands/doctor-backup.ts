/**
 * `keyferry doctor --backup`: whether this database, restored with these settings, could be worked
 * with.
 */
import { createInstallationGuard } from '../../db/installation-guard.ts';
import { requireCurrentSchema } from '../../db/migrate.ts';
import { counted } from '../../domain/counted.ts';
import { JobError } from '../../errors.ts';
import type { Program } from '../../main.ts';
import { moment } from '../output.ts';

export interface BackupCheck {
  readonly part: string;
  look(): Promise<string>;
}

export function backupChecks({ stores, config }: Program): readonly BackupCheck[] {
  return [
    {
      part: 'schema',
      async look() {
        await requireCurrentSchema(config.databaseUrl);
        return 'fits this version';
      },
    },
    {
      part: 'encryption keys',
      async look() {
        const usage = await stores.encryptionKeys.usage();
        const missing = usage
          .filter((one) => !one.isConfigured)
          .map((one) => `${one.keyId} (${counted(one.rows, 'row')})`);
        if (missing.length > 0)
          throw unusable(`Not configured: ${missing.join(', ')}. Keep every key id with the backup.`);
        return `${String(usage.length)} in use, all configured`;
      },
    },
    {
      part: 'ciphertexts',
      async look() {
        const checks = await stores.encryptionKeys.tryAll();
        const broken = checks.filter((one) => one.unreadable.length > 0);
        const described = broken.map((one) => `${one.kind} under ${one.unreadable.join(', ')}`);
        if (broken.length > 0)
          throw unusable(`Cannot be opened: ${described.join('; ')}. Configure the original keys.`);
        return checks.map((one) => `${one.kind}: ${one.tried === 0 ? 'none stored' : 'opened'}`).join(', ');
      },
    },
    {
      part: 'newest result',
      async look() {
        const { newestRunAt } = await createInstallationGuard(stores.database.db).summary();
        return newestRunAt === null
          ? 'no run has ended yet'
          : `of ${moment(newestRunAt)}; later changes are not in this backup`;
      },
    },
  ];
}

function unusable(message: string): JobError {
  return new JobError('DB_KEY_MISSING', { message });
}
