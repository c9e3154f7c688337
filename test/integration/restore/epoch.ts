/** `restore accept --as restored`, as its statement writes it. */
import { createInstallationGuard } from '../../../src/db/installation-guard.ts';
import type { DatabaseHandle } from '../../../src/db/client.ts';
import type { DatabaseClock } from '../../support/database-clock.ts';

interface Accepting {
  readonly clock: DatabaseClock;
  /** What brings the backup back. */
  readonly restore?: () => Promise<void>;
}

export async function acceptAsRestored({ db }: DatabaseHandle, { clock, restore }: Accepting): Promise<void> {
  await restore?.();
  clock.advance(60_000);
  await clock.settled();
  const guard = createInstallationGuard(db);
  await guard.raise('asked');
  await guard.accept({ as: 'restored', actor: 'ann', name: undefined });
}
