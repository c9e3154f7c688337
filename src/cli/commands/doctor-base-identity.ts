/**
 * The part of `keyferry doctor` about the worker's own AWS identity, as this environment gives it.
 */
import { createBaseIdentities } from '../../db/base-identities.ts';
import { defined } from '../../domain/defined.ts';
import {
  baseKinds,
  type BaseReport,
  describeBaseKey,
  keyAgeWarning,
  type SeenBaseIdentity,
} from '../../domain/connection/base-identity.ts';
import type { Program } from '../../main.ts';
import { moment } from '../output.ts';

export interface Detail {
  readonly detail: string;
  /** What works, but should be changed. */
  readonly warning?: string;
}

export async function examineBaseIdentity(program: Program): Promise<Detail> {
  const report = await (await program.aws()).baseReport();
  const { firstSeenAt } = (await findSeen(program, report)) ?? {};
  const known = { ...report, ...defined({ firstSeenAt }) };
  const now = new Date();
  const since = firstSeenAt ? `; workers have used it since ${moment(firstSeenAt)}` : '';
  const detail = `${report.arn}: ${baseKinds[report.kind]}, ${describeBaseKey(known, now)}${since}`;
  const warning = keyAgeWarning(known, now);
  return { detail, ...defined({ warning }) };
}

/** A database that cannot be reached has its own finding. */
async function findSeen({ stores }: Program, report: BaseReport): Promise<SeenBaseIdentity | undefined> {
  const seen = await createBaseIdentities(stores.database.db)
    .list()
    .catch(() => []);
  return seen.find(
    (one) => one.kind === report.kind && one.accessKeyId === report.accessKeyId && one.arn === report.arn,
  );
}
