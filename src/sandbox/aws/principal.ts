/** Who a request's credentials belong to. */
import type { Account, Role, Session, User } from './state.ts';

export interface RootPrincipal {
  readonly kind: 'root';
  readonly account: Account;
  readonly arn: string;
}

export interface UserPrincipal {
  readonly kind: 'user';
  readonly account: Account;
  readonly arn: string;
  readonly user: User;
}

export interface SessionPrincipal {
  readonly kind: 'session';
  readonly account: Account;
  /** `arn:aws:sts::…:assumed-role/<role>/<session>`. */
  readonly arn: string;
  readonly role: Role;
  readonly session: Session;
}

export type Principal = RootPrincipal | UserPrincipal | SessionPrincipal;

export function toRootPrincipal(account: Account): RootPrincipal {
  return { kind: 'root', account, arn: `arn:${account.partition}:iam::${account.accountId}:root` };
}

export function toUserPrincipal(account: Account, user: User): UserPrincipal {
  return { kind: 'user', account, arn: user.arn, user };
}

export function toSessionPrincipal(account: Account, session: Session): SessionPrincipal {
  const arn = `arn:${account.partition}:sts::${account.accountId}:assumed-role/${session.role.roleName}/${session.sessionName}`;
  return { kind: 'session', account, arn, role: session.role, session };
}

/** What GetCallerIdentity calls UserId, and policies `aws:userid`. */
export function principalUserId(principal: Principal): string {
  if (principal.kind === 'root') return principal.account.accountId;
  if (principal.kind === 'user') return principal.user.userId;
  return `${principal.role.roleId}:${principal.session.sessionName}`;
}
