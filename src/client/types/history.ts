/** `client.history`: what was done in the org, what folders it has, and who changed what. */
import type { ListedFolder } from '../../domain/folders.ts';
import type { ListedRun } from './run.ts';

/** Which runs to list. */
export interface RunQuery {
  /**
   * Name or id of a connection, sync or rotation. An id also finds the runs of one that is deleted.
   */
  readonly subject?: string | undefined;
  /** Such as `sync`. */
  readonly kind?: string | undefined;
  /** Such as `failed`. */
  readonly status?: string | undefined;
  /** Default 20. */
  readonly limit?: number | undefined;
}

/** One change, or one attempt at it, in the audit trail. */
export interface AuditRecord {
  /** Grows with time. */
  readonly id: number;
  /** When it began. */
  readonly at: Date;
  /** Null for operators, who stand above the orgs. */
  readonly orgId: string | null;
  /** Who did it. */
  readonly actor: string;
  /** `api`, `board`, `cli`, `library` or `page`; `operator` for what an operator allows an org. */
  readonly via: string;
  /** Such as `connection.create` or `sync.remove`. */
  readonly action: string;
  /** Id or name of what it was about; never its content. */
  readonly subject: string | null;
  /** Of the HTTP request, as in its answer and in the log; else of nothing but this record. */
  readonly requestId: string;
  /** HTTP status of the answer, or the one that the API would give; null while it is not known. */
  readonly statusCode: number | null;
}

/** Only reads. */
export interface HistoryClient {
  /**
   * Newest first; a run in slices is one. Throws PAYLOAD_INVALID for an unknown or ambiguous name.
   */
  runs(query?: RunQuery): Promise<readonly ListedRun[]>;
  /** By project, environment and path. */
  folders(projectId?: string): Promise<readonly ListedFolder[]>;
  /** Newest first; `limit` is 20 by default. */
  audit(limit?: number): Promise<readonly AuditRecord[]>;
}
