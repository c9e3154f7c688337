/**
 * The control API: the fixture handle for other processes, as `POST /_sandbox/<call>` with a JSON
 * array of arguments. Loopback is not enough of a guard against web pages, so it also wants a
 * header that they cannot send, and a local Host.
 */
import { AwsError } from './aws-error.ts';
import type { AwsSandbox } from './sandbox.ts';
import type { SandboxResponse } from './wire/request.ts';

export const CONTROL_PATH = '/_sandbox/';
export const CONTROL_HEADER = 'x-sandbox-control';

export interface ControlRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

type ControlCall = (...args: readonly unknown[]) => unknown;

/** Everything of the handle but its door. */
const FUNCTIONS: ReadonlySet<string> = new Set<Exclude<keyof AwsSandbox, 'handle' | ControlGroup>>([
  'createAccount',
  'createUser',
  'createAccessKey',
  'createRootAccessKey',
  'createRole',
  'createManagedPolicy',
  'setRoleTrust',
  'setRolePolicy',
  'setUserPolicy',
  'deleteRole',
  'deleteUser',
  'setAccessKeyStatus',
  'deleteAccessKey',
  'createKmsKey',
  'setKmsKeyState',
  'setKmsKeyPolicy',
  'setServiceSetting',
  'setServerSkew',
  'setQuotas',
  'setTiming',
  'setBehaviour',
]);

export const CONTROL_GROUPS = ['clock', 'calls', 'faults', 'inspect', 'foreign'] as const;
type ControlGroup = (typeof CONTROL_GROUPS)[number];

/** `createRole`, or `calls.list`. */
function findCall(sandbox: AwsSandbox, path: string): ControlCall | undefined {
  const [first = '', second] = path.split('.');
  const handle = sandbox as unknown as Record<string, ControlCall>;
  if (second === undefined) return FUNCTIONS.has(first) ? handle[first] : undefined;
  if (!(CONTROL_GROUPS as readonly string[]).includes(first)) return undefined;
  const group = sandbox[first as ControlGroup] as unknown as Record<string, ControlCall>;
  return Object.hasOwn(group, second) && typeof group[second] === 'function' ? group[second] : undefined;
}

export function handleControl(sandbox: AwsSandbox, request: ControlRequest): SandboxResponse {
  const host = (request.headers['host'] ?? '').replace(/:\d+$/, '');
  if (request.headers[CONTROL_HEADER] === undefined || !['127.0.0.1', 'localhost', '[::1]'].includes(host)) {
    return toJson(403, { error: `The control API wants the header ${CONTROL_HEADER} and a loopback Host.` });
  }
  const name = request.path.slice(CONTROL_PATH.length);
  const call = findCall(sandbox, name);
  if (!call) return toJson(404, { error: `The control API has no ${name}.` });
  try {
    const args = request.body.byteLength === 0 ? [] : (JSON.parse(Buffer.from(request.body).toString()) as unknown[]);
    return toJson(200, { result: call(...args) });
  } catch (error) {
    const code = error instanceof AwsError ? error.code : undefined;
    return toJson(400, { error: error instanceof Error ? error.message : String(error), code });
  }
}

function toJson(status: number, value: object): SandboxResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}
