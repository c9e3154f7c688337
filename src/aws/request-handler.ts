/**
 * What sends the requests to AWS: one pool of connections, and one more for each proxy that
 * HTTPS_PROXY, ALL_PROXY and NO_PROXY name. This machine and the metadata addresses of instances
 * and containers are never asked through a proxy.
 */
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { getProxyForUrl } from 'proxy-from-env';

import { JobError } from '../errors.ts';
import type { RequestHandler } from './clients.ts';
import { defined } from '../domain/defined.ts';
import { isLoopback } from '../domain/servers/loopback.ts';
import type { EndpointEnvironment } from './endpoints.ts';

const CONNECTION_TIMEOUT_MS = 3_000;
/** Per origin. */
const MAX_SOCKETS = 100;

const names = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'] as const;

/**
 * Throws CONFIG_INVALID, without the proxy's login, when a proxy is named in a form that cannot be
 * used.
 */
export function checkProxySettings(env: EndpointEnvironment): void {
  for (const name of names) {
    const value = env[name];
    if (value === undefined || value === '' || isProxyUrl(value)) continue;
    const problem = `${name} must be a proxy such as http://proxy.example:3128`;
    throw new JobError('CONFIG_INVALID', { message: `${problem}.`, context: { problems: [problem] } });
  }
}

function isProxyUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

interface Request {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
}

interface Response {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

type SendRequest = (request: never, options?: never) => Promise<{ readonly response: Response }>;

export function createRequestHandler(caBundle: string | undefined): RequestHandler {
  const shared = { keepAlive: true, maxSockets: MAX_SOCKETS, ...defined({ ca: caBundle }) };
  const handlerOf = (httpsAgent: object): SendRequest => {
    const handler = new NodeHttpHandler({ connectionTimeout: CONNECTION_TIMEOUT_MS, httpsAgent });
    return (request, options) => handler.handle(request, options);
  };
  const direct = handlerOf(shared);
  const proxied = new Map<string, SendRequest>();
  return {
    handle(request: never, options?: never) {
      const proxy = proxyFor(request);
      if (proxy === undefined) return direct(request, options);
      const known = proxied.get(proxy) ?? throughProxy(handlerOf(agentFor(proxy, shared)));
      proxied.set(proxy, known);
      return known(request, options);
    },
  };
}

function agentFor(proxy: string, shared: { readonly ca?: string }): HttpsProxyAgent<string> {
  const agent = new HttpsProxyAgent(proxy, shared);
  // The certificates given above count for the proxy only, these for AWS behind it.
  return Object.assign(agent, { options: { ...agent.options, ...shared } });
}

/** Of AWS's services only https is proxied; plain http is for this machine. */
function proxyFor({ protocol, hostname, port }: Request): string | undefined {
  if (protocol !== 'https:' || isLoopback(hostname) || /^(169\.254\.|\[?fd00:ec2:)/.test(hostname)) return undefined;
  const proxy = getProxyForUrl(`https://${hostname}${port === undefined ? '' : `:${String(port)}`}`);
  return proxy === '' ? undefined : proxy;
}

/** An answer of the proxy must not be mistaken for AWS's. */
function throughProxy(send: SendRequest): SendRequest {
  return async (request, options) => {
    try {
      const answer = await send(request, options);
      const { statusCode, headers } = answer.response;
      if (statusCode < 400 || headers['x-amzn-requestid'] !== undefined) return answer;
      throw Object.assign(new Error('the proxy refused'), { code: `EPROXY_${String(statusCode)}` });
    } catch (error) {
      throw error instanceof Error ? Object.assign(error, { isProxied: true }) : error;
    }
  };
}
