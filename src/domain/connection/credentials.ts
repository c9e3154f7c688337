/** How a connection signs in at AWS; the secret is in clear. */
export type SignInCredentials =
  | { readonly method: 'assume-role'; readonly roleArn: string; readonly externalId: string }
  | { readonly method: 'access-key'; readonly accessKeyId: string; readonly secretAccessKey: string };

/**
 * What a session needs to know of a connection; the secret is in clear, lives in memory only and is
 * never logged.
 */
export type ConnectionCredentials = {
  readonly connectionId: string;
  readonly orgId: string;
  /** Sessions are never shared across revisions. */
  readonly credentialsRevision: number;
} & SignInCredentials;
