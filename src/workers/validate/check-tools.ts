/** What the checks of a connection are made with, and how each is shown as soon as it is made. */
import type { PermissionProbes } from '../../aws/probes.ts';
import type { AwsAccess } from '../../aws/session.ts';
import type { Check } from '../../domain/connection/checks.ts';

export interface CheckTools {
  readonly aws: AwsAccess;
  readonly probes: PermissionProbes;
  /** Only asked for an external ID that is not the org's own id. */
  isForeignExternalId(externalId: string, orgId: string): Promise<boolean>;
  /** Given all checks made so far, whenever there is another one. */
  onChecks?(checks: readonly Check[]): void;
}

export interface NotingTools extends CheckTools {
  note(...checks: readonly Check[]): void;
}

export function noting(tools: CheckTools): NotingTools {
  const made: Check[] = [];
  return {
    ...tools,
    note(...checks) {
      made.push(...checks);
      tools.onChecks?.([...made]);
    },
  };
}
