/** Who a request's credentials belong to. */
import type { CompiledPolicy } from './policy/document.ts';
import type { Account, FederatedSession, Role, Session, User } from './state.ts';

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

export interface FederatedPrincipal {
  readonly kind: 'federated';
  readonly account: Account;
  /** `arn:aws:sts::…:federated-user/<name>`. */
  readonly arn: string;
  readonly session: FederatedSession;
}

export type Principal = RootPrincipal | UserPrincipal | SessionPrincipal | FederatedPrincipal;

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

export function toFederatedPrincipal(account: Account, session: FederatedSession): FederatedPrincipal {
  const arn = `arn:${account.partition}:sts::${account.accountId}:federated-user/${session.name}`;
  return { kind: 'federated', account, arn, session };
}

/** Whose identity policies count; undefined for root, who needs none. */
export function policyOwnerOf(principal: Principal): User | Role | undefined {
  switch (principal.kind) {
    case 'root':
      return undefined;
    case 'user':
      return principal.user;
    case 'session':
      return principal.role;
    case 'federated':
      return principal.session.user;
  }
}

/** What narrows them; undefined where nothing does. */
export function sessionPoliciesOf(principal: Principal): readonly CompiledPolicy[] | undefined {
  return principal.kind === 'session' || principal.kind === 'federated' ? principal.session.sessionPolicies : undefined;
}

/** What GetCallerIdentity calls UserId, and policies `aws:userid`. */
export function principalUserId(principal: Principal): string {
  if (principal.kind === 'root') return principal.account.accountId;
  if (principal.kind === 'user') return principal.user.userId;
  if (principal.kind === 'federated') return `${principal.account.accountId}:${principal.session.name}`;
  return `${principal.role.roleId}:${principal.session.sessionName}`;
}
