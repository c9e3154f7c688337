/** The control API's client: the fixture handle of a sandbox in another process, with promises. */
import { CONTROL_GROUPS, CONTROL_HEADER, CONTROL_PATH } from './control.ts';
import type { AwsSandbox } from './sandbox.ts';

type Asynchronous<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Sent<Result>>
    : Asynchronous<T[K]>;
};

/** What JSON leaves of a value: dates become text, functions nothing. */
type Sent<T> = T extends Date
  ? string
  : T extends (...args: never[]) => unknown
    ? undefined
    : T extends object
      ? { readonly [K in keyof T]: Sent<T[K]> }
      : T;

/**
 * Everything of the handle but the doors. Fault rules cannot hold functions, and `faults.add`
 * returns nothing.
 */
export type RemoteAwsSandbox = Asynchronous<Omit<AwsSandbox, 'handle'>>;

export function connectAwsSandbox(url: string): RemoteAwsSandbox {
  const call =
    (name: string) =>
    async (...args: readonly unknown[]): Promise<unknown> =>
      send(url, name, args);
  const group = (prefix: string): object => new Proxy({}, { get: (_, name) => call(`${prefix}.${String(name)}`) });
  const handle = new Proxy(
    {},
    {
      get: (_, property) => {
        const name = String(property);
        // Being awaited is not a call.
        if (name === 'then') return undefined;
        return (CONTROL_GROUPS as readonly string[]).includes(name) ? group(name) : call(name);
      },
    },
  );
  return handle as RemoteAwsSandbox;
}

async function send(url: string, name: string, args: readonly unknown[]): Promise<unknown> {
  const response = await fetch(new URL(CONTROL_PATH + name, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', [CONTROL_HEADER]: '1' },
    body: JSON.stringify(args),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json()) as { result?: unknown; error?: string };
  if (!response.ok) throw new Error(`AWS sandbox: ${answer.error ?? `HTTP ${String(response.status)}`}`);
  return answer.result;
}
