/**
 * Who exists at the emulator, learned from the calls that made them: users, roles, their policies
 * and keys. The emulator stores all of this too, but neither checks a key nor evaluates a policy.
 */
import { fieldText, type AwsCall } from './request.ts';

export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: { readonly AWS: string | readonly string[] } | '*';
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyDocument {
  readonly Statement: PolicyStatement | readonly PolicyStatement[];
}

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  readonly accountId: string;
  /** `user/NAME` or `role/NAME`, without a path. */
  readonly owner: string;
  readonly sessionPolicy: PolicyDocument | undefined;
  status: string;
  /** On the proxy's clock; earlier uses are refused as those of an unknown key. */
  usableAtMs: number;
}

interface Role {
  trust: PolicyDocument;
}

export interface Identities {
  key(accessKeyId: string): AccessKey | undefined;
  role(arn: string): Role | undefined;
  policiesOf(accountId: string, owner: string): readonly PolicyDocument[];
  /** The user that a key belongs to, `*` when nobody made such a key. */
  userOf(accessKeyId: string): string;
  /** Takes over what a successful call changed. */
  learn(call: AwsCall, answer: string, by: { readonly accountId: string; readonly keyDelayMs: number }): void;
}

export function createIdentities(): Identities {
  const keys = new Map<string, AccessKey>();
  const roles = new Map<string, Role>();
  const policies = new Map<string, Map<string, PolicyDocument>>();
  const held = (accountId: string, owner: string) => {
    const id = `${accountId}/${owner}`;
    const found = policies.get(id) ?? new Map<string, PolicyDocument>();
    policies.set(id, found);
    return found;
  };
  return {
    key: (accessKeyId) => keys.get(accessKeyId),
    role: (arn) => roles.get(withoutPath(arn)),
    policiesOf: (accountId, owner) => [...held(accountId, owner).values()],
    userOf: (accessKeyId) => keys.get(accessKeyId)?.owner.replace('user/', '') ?? '*',
    learn(call, answer, by) {
      lessons[call.operation]?.({ call, answer, ...by, keys, roles, held });
    },
  };
}

interface Lesson {
  readonly call: AwsCall;
  readonly answer: string;
  readonly accountId: string;
  readonly keyDelayMs: number;
  readonly keys: Map<string, AccessKey>;
  readonly roles: Map<string, Role>;
  readonly held: (accountId: string, owner: string) => Map<string, PolicyDocument>;
}

const lessons: Readonly<Record<string, (lesson: Lesson) => void>> = {
  CreateAccessKey: ({ answer, accountId, keyDelayMs, keys }) => {
    addKey(keys, answer, { accountId, owner: `user/${element(answer, 'UserName')}`, delayMs: keyDelayMs });
  },
  AssumeRole: ({ call, answer, keys }) => {
    const [, , , , accountId = '', role = ''] = withoutPath(fieldText(call, 'RoleArn') ?? '').split(':');
    const policy = fieldText(call, 'Policy');
    addKey(keys, answer, {
      accountId,
      owner: role,
      delayMs: 0,
      ...(policy === undefined ? {} : { sessionPolicy: parsePolicy(policy) }),
    });
  },
  UpdateAccessKey: ({ call, keys }) => {
    const key = keys.get(fieldText(call, 'AccessKeyId') ?? '');
    if (key) key.status = fieldText(call, 'Status') ?? key.status;
  },
  DeleteAccessKey: ({ call, keys }) => {
    keys.delete(fieldText(call, 'AccessKeyId') ?? '');
  },
  CreateRole: ({ call, answer, roles }) => {
    const trust = parsePolicy(fieldText(call, 'AssumeRolePolicyDocument'));
    roles.set(withoutPath(element(answer, 'Arn')), { trust });
  },
  UpdateAssumeRolePolicy: ({ call, roles, accountId }) => {
    const trust = parsePolicy(fieldText(call, 'PolicyDocument'));
    roles.set(`arn:aws:iam::${accountId}:role/${fieldText(call, 'RoleName') ?? ''}`, { trust });
  },
  DeleteRole: ({ call, roles, accountId }) => {
    roles.delete(`arn:aws:iam::${accountId}:role/${fieldText(call, 'RoleName') ?? ''}`);
  },
  PutRolePolicy: (lesson) => {
    putPolicy(lesson, `role/${fieldText(lesson.call, 'RoleName') ?? ''}`);
  },
  PutUserPolicy: (lesson) => {
    putPolicy(lesson, `user/${fieldText(lesson.call, 'UserName') ?? ''}`);
  },
  DeleteRolePolicy: ({ call, accountId, held }) => {
    held(accountId, `role/${fieldText(call, 'RoleName') ?? ''}`).delete(fieldText(call, 'PolicyName') ?? '');
  },
};

function putPolicy({ call, accountId, held }: Lesson, owner: string): void {
  const document = parsePolicy(fieldText(call, 'PolicyDocument'));
  held(accountId, owner).set(fieldText(call, 'PolicyName') ?? '', document);
}

interface KeyOwner {
  readonly accountId: string;
  readonly owner: string;
  readonly delayMs: number;
  readonly sessionPolicy?: PolicyDocument;
}

function addKey(
  keys: Map<string, AccessKey>,
  answer: string,
  { accountId, owner, delayMs, sessionPolicy }: KeyOwner,
): void {
  const accessKeyId = element(answer, 'AccessKeyId');
  const token = element(answer, 'SessionToken');
  keys.set(accessKeyId, {
    accessKeyId,
    secretAccessKey: element(answer, 'SecretAccessKey'),
    sessionToken: token === '' ? undefined : token,
    accountId,
    owner,
    sessionPolicy,
    status: 'Active',
    usableAtMs: Date.now() + delayMs,
  });
}

/** Emulators take documents that AWS refuses; such a one allows nothing. */
function parsePolicy(text: string | undefined): PolicyDocument {
  try {
    return JSON.parse(text ?? '') as PolicyDocument;
  } catch {
    return { Statement: [] };
  }
}

/** The text of the first element of this name. */
function element(xml: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
}

/** `arn:…:role/a/b/NAME` as `arn:…:role/NAME`: names are unique whatever their path is. */
export function withoutPath(arn: string): string {
  return arn.replace(/:(role|user)\/.*\/([^/]+)$/, ':$1/$2');
}
