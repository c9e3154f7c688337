/**
 * What is kept beside a connection's working credentials: those that may replace them, and an
 * operator's exception. Pure data, without secrets.
 */

/**
 * Who acts: an operator (command line), or a tenant (API; the library, unless it says otherwise).
 */
export type Via = 'operator' | 'api' | 'library';

/** Credentials that replace the present ones once a validation accepts them. */
export interface StoredCandidate {
  readonly id: string;
  readonly method: 'assume-role' | 'access-key';
  readonly roleArn?: string;
  readonly externalId?: string;
  readonly accessKeyId?: string;
  /** The revision that it becomes when it is accepted. */
  readonly credentialsRevision: number;
  readonly via: Via;
  readonly offeredBy: string | null;
  readonly offeredAt: string;
  /** Why it was refused; the secret is deleted then. */
  readonly refusal?: { readonly code: string; readonly message: string; readonly at: string };
}

/**
 * An operator's permission to use a role that does not insist on an external ID. It ends when the
 * connection gets another role.
 */
export interface ExternalIdException {
  readonly roleArn: string;
  readonly reason: string;
  readonly allowedBy: string | null;
  readonly allowedAt: string;
}

/** Whether a role must refuse to be assumed without its external ID. */
export type ExternalIdDuty =
  | { readonly is: 'required' }
  | { readonly is: 'excepted'; readonly reason: string; readonly allowedBy: string | null }
  /** One org, no tenants, and an operator chose the role: nobody else's role can be meant. */
  | { readonly is: 'advised' };

export interface RoleControl {
  readonly roleArn: string;
  /** Who set the role last. */
  readonly via: Via;
  readonly exception: ExternalIdException | null;
  /** Several orgs, or tenants with tokens, share the base identity. */
  readonly isShared: boolean;
}

export function externalIdDuty({ roleArn, via, exception, isShared }: RoleControl): ExternalIdDuty {
  if (exception?.roleArn === roleArn)
    return { is: 'excepted', reason: exception.reason, allowedBy: exception.allowedBy };
  return via === 'operator' && !isShared ? { is: 'advised' } : { is: 'required' };
}
