/**
 * `client.sources`: where the secrets of folders come from. Credentials go in and never come out.
 */
import type { FolderPath } from './folder.ts';
import type { ListedRun } from './run.ts';

/** What each kind of source has. */
interface AnySource {
  /**
   * Signs notifications of the source, which make a pull due at once: 16 to 256 visible ASCII
   * characters. Null (default): none.
   */
  readonly notifySecret?: string | null | undefined;
  /** Seconds from pull to pull: 60 to 86,400, 300 by default. */
  readonly everySeconds?: number | undefined;
}

/** A URL that answers with one JSON object or dotenv lines. */
export interface HttpSource extends AnySource {
  /** The sort of source. */
  readonly kind: 'http';
  /** At most 2,048 characters, without user, password or fragment. */
  readonly url: string;
  /** Sent as a bearer token; null (default): none. */
  readonly token?: string | null | undefined;
  /** PEM, for mutual TLS, with the authorities in between; only together with `clientKey`. */
  readonly clientCertificate?: string | null | undefined;
  /** PEM; only together with `clientCertificate`. */
  readonly clientKey?: string | null | undefined;
}

/** A folder of Infisical. */
export interface InfisicalSource extends AnySource {
  /** The sort of source. */
  readonly kind: 'infisical';
  /** Of the site, without a path. Default: `https://app.infisical.com`. */
  readonly url?: string | undefined;
  /** Id of the project there. */
  readonly projectId: string;
  /** Slug of the environment there. */
  readonly environment: string;
  /** Starts with `/`, which is the default. */
  readonly secretPath?: string | undefined;
  /** With the folders below. Default: false. */
  readonly isRecursive?: boolean | undefined;
  /** Of a machine identity with universal auth. */
  readonly clientId: string;
  /** Stored encrypted, never shown. */
  readonly clientSecret: string;
}

/** Settings of a source, by its kind. */
export type SetSource = HttpSource | InfisicalSource;

/** The source of a folder, without its credentials. */
export interface FolderSource {
  /** Of the folder that it fills. */
  readonly folderId: string;
  /** The org that the folder belongs to. */
  readonly orgId: string;
  /** The sort of source. */
  readonly kind: SetSource['kind'];
  /** What may be shown of its settings; of a URL, scheme, host and port. */
  readonly config: Readonly<Record<string, string | boolean>>;
  /** Seconds from pull to pull. */
  readonly everySeconds: number;
  /** How the last pull ended; `pending` before the first. */
  readonly status: 'pending' | 'succeeded' | 'blocked' | 'failed';
  /** As in docs/errors.md; null when nothing is wrong. */
  readonly statusCode: string | null;
  /** What is wrong and what to do about it. */
  readonly statusMessage: string | null;
  /** Since when the status holds. */
  readonly statusSince: Date;
  /** Failed pulls in a row. */
  readonly failures: number;
  /**
   * The folder's revision that the last pull left; null when it was not read with these settings.
   */
  readonly pulledRevision: number | null;
  /** The last pull that left the folder equal to its source. */
  readonly lastPulledAt: Date | null;
  /** Keys of the source that a rotation manages: no pull writes them. */
  readonly skippedKeys: readonly string[];
  /** When it is read next. */
  readonly nextDueAt: Date;
  /** Pulls ever asked for. */
  readonly asked: number;
  /** How many of them are answered. */
  readonly answered: number;
  /** How many secrets the pull that is asked for may remove; null without a confirmation. */
  readonly confirmedDeletions: number | null;
  /** Of the last notification that was accepted, in milliseconds of its sender's clock. */
  readonly notifiedAtMs: number | null;
  /** When the folder got a source. */
  readonly createdAt: Date;
  /** When its row was last written. */
  readonly updatedAt: Date;
  /** It was not read for long, so the secrets may be old. */
  readonly isStale: boolean;
  /** A pull is under way. */
  readonly isRunning: boolean;
}

/** Options of a pull. */
export interface PullSource {
  /** Lets the pull remove exactly this many secrets. */
  readonly confirmDeletions?: number;
}

/** How long to wait for a pull. */
export interface WaitForPull {
  /** Gives up with QUEUE_TIMEOUT after this long. Default: 2 minutes. */
  readonly timeoutMs?: number;
  /** Called once when no worker has taken the source for a few seconds. */
  onUntaken?(): void;
}

/** Throws SOURCE_NOT_FOUND where the folder has no source. */
export interface SourcesClient {
  /**
   * Makes the folder if need be; the source is read at once. Throws SOURCE_URL_REFUSED, and
   * PAYLOAD_INVALID for a client certificate that has expired or does not fit its key.
   */
  set(place: FolderPath, input: SetSource): Promise<FolderSource>;
  /** Settings and state. */
  show(place: FolderPath): Promise<FolderSource>;
  /** The last pulls that did or said something, newest first; `limit` is 5 by default. */
  pulls(place: FolderPath, limit?: number): Promise<readonly ListedRun[]>;
  /** The folder keeps its secrets, which can be set by hand again. */
  unset(place: FolderPath): Promise<FolderSource>;
  /** Has a worker read the source soon, and returns at once. */
  request(place: FolderPath, input?: PullSource): Promise<FolderSource>;
  /**
   * Has a worker read the source now, and returns its state afterwards. Throws QUEUE_TIMEOUT
   * when none does in time.
   */
  run(place: FolderPath, input?: PullSource, wait?: WaitForPull): Promise<FolderSource>;
}
