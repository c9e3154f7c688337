/** Ledger rows and desired entries for the tests of the sync's decisions. */
import type { DesiredEntry } from '../../../src/domain/sync/desired.ts';
import { newEntry, written } from '../../../src/domain/sync/entry.ts';
import type { LedgerEntry, AwsLocation } from '../../../src/domain/sync/ledger.ts';
import type { Owner } from '../../../src/domain/ownership.ts';
import type { PlanOptions } from '../../../src/domain/sync/plan.ts';

export const SYNC = 'sync-1';
export const INSTALLATION = 'installation-1';
export const owner: Owner = { installationId: INSTALLATION, syncId: SYNC };
export const FOLDER = 'folder-1';
export const NOW = new Date('2026-03-01T12:00:00Z');
export const LONG_AGO = new Date('2026-01-01T00:00:00Z');

export const place: AwsLocation = { partition: 'aws', accountId: '111122223333', region: 'eu-west-1', service: 'ssm' };
export const secretPlace: AwsLocation = { ...place, service: 'secretsmanager' };

const noSettings = { keyId: null, tags: {} };

export function options(changes: Partial<PlanOptions> = {}): PlanOptions {
  return {
    owner,
    place,
    folderId: FOLDER,
    onExisting: 'fail',
    keepsDeleted: false,
    overwritesDrift: false,
    ...changes,
  };
}

export function desired(key: string, changes: Partial<DesiredEntry> = {}): DesiredEntry {
  return { key, remoteName: `/app/${key}`, documentKey: key, revision: 1, settings: noSettings, ...changes };
}

/** A row of which nothing was written yet. */
export function newRow(key: string): LedgerEntry {
  const origin = { id: `id-${key}`, syncId: SYNC, connectionId: 'connection-1', folderId: FOLDER, place };
  return newEntry(origin, { remoteName: `/app/${key}`, key, settings: noSettings });
}

/** A row that was written and answered. */
export function owned(key: string, changes: Partial<LedgerEntry> = {}): LedgerEntry {
  const entry = newRow(key);
  const by = {
    version: '1',
    fingerprint: `print-${key}`,
    revision: 1,
    settings: noSettings,
    folderId: FOLDER,
    at: LONG_AGO,
  };
  return { ...written(entry, by), ...changes };
}
