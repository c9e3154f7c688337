/** A request and its answer, free of any HTTP library: the model's door. */
export interface SandboxRequest {
  readonly method: string;
  /** Without the query string. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface SandboxResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Send the body in pieces over this many milliseconds. */
  readonly dripMs?: number;
}

/** 'drop': the connection ends without an answer. */
export type SandboxAnswer = SandboxResponse | 'drop';
