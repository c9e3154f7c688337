/** Who makes an API request, and what they may do. Pure. */

export const scopes = ['read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** The prefix shows what kind of secret a leaked text is. */
export const CLIENT_SECRET_PREFIX = 'kfs_';
export const ACCESS_TOKEN_PREFIX = 'kfa_';

/** As KEYFERRY_API_TOKENS names it. */
export interface ApiToken {
  readonly orgId: string;
  /** Goes into runs and the audit trail as who asked. */
  readonly name: string;
  /** Hex. */
  readonly sha256: string;
  readonly scope: Scope;
}

export interface Caller {
  /** Stable as long as the identity or the token lives; idempotency keys are bound to it. */
  readonly id: string;
  readonly orgId: string;
  /** Goes into runs and the audit trail as who asked. */
  readonly name: string;
  readonly scope: Scope;
  /** Null: all projects of the org. */
  readonly projects: readonly string[] | null;
  /** What a new sync or rotation does with what exists where the request does not say. */
  readonly onExisting: 'fail' | 'adopt';
}

/** `write` includes `read`, `admin` includes both. */
export function hasScope(caller: Pick<Caller, 'scope'>, needed: Scope): boolean {
  return scopes.indexOf(caller.scope) >= scopes.indexOf(needed);
}

/** An object without a project belongs to the whole org: everybody may see and use it. */
export function maySee({ projects }: Pick<Caller, 'projects'>, projectId: string | null): boolean {
  return projects === null || projectId === null || projects.includes(projectId);
}

export function mayChange({ projects }: Pick<Caller, 'projects'>, projectId: string | null): boolean {
  return projects === null || (projectId !== null && projects.includes(projectId));
}
