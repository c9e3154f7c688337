/** The door without sockets: an SDK client given this handler talks to the model in process. */
import type { AwsSandbox } from './sandbox.ts';
import type { SandboxAnswer, SandboxRequest } from './wire/request.ts';

/**
 * The parts of the SDK's request and response classes that matter; declared here, so that the
 * sandbox does without the SDK.
 */
export interface SdkHttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface SdkHttpResponse {
  statusCode: number;
  headers: Record<string, string>;
  body?: Uint8Array;
}

/** What an SDK client asks of its `requestHandler`; one handler serves any number of clients. */
export interface SandboxRequestHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SdkHttpRequest, options?: { abortSignal?: unknown }): Promise<{ response: SdkHttpResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

export function createSandboxRequestHandler(sandbox: Pick<AwsSandbox, 'handle'>): SandboxRequestHandler {
  return {
    metadata: { handlerProtocol: 'in-process' },
    handle: async (request, options) => {
      const answer = await withAbort(() => sandbox.handle(toSandboxRequest(request)), options?.abortSignal);
      return { response: toHttpResponse(answer) };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

/** Both forms of a signal that the SDK knows; the older one has no listeners. */
interface Signal {
  readonly aborted: boolean;
  onabort: (() => void) | null;
  addEventListener?(type: 'abort', listener: () => void, options: { readonly once: true }): void;
  removeEventListener?(type: 'abort', listener: () => void): void;
}

/** The call continues after an abort, as a request that is already on its way does. */
async function withAbort(call: () => Promise<SandboxAnswer>, given: unknown): Promise<SandboxAnswer> {
  if (!given) return call();
  const signal = given as Signal;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
    };
  });
  if (signal.aborted) onAbort();
  else if (signal.addEventListener) signal.addEventListener('abort', onAbort, { once: true });
  else signal.onabort = onAbort;
  try {
    return await Promise.race([signal.aborted ? aborted : call(), aborted]);
  } finally {
    signal.removeEventListener?.('abort', onAbort);
  }
}

function toSandboxRequest(request: SdkHttpRequest): SandboxRequest {
  const headers: Record<string, string> = {};
  for (const name of Object.keys(request.headers)) headers[name.toLowerCase()] = request.headers[name] ?? '';
  const query = new URLSearchParams((request.query ?? {}) as Record<string, string>).toString();
  return { method: request.method, path: request.path, query, headers, body: toBytes(request.body) };
}

function toBytes(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : '');
}

function toHttpResponse(answer: SandboxAnswer): SdkHttpResponse {
  if (answer === 'drop') {
    throw Object.assign(new Error('socket hang up'), {
      name: 'TimeoutError',
      code: 'ECONNRESET',
      errno: -104,
      syscall: 'read',
    });
  }
  return { statusCode: answer.status, headers: { ...answer.headers }, body: answer.body };
}
