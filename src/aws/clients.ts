/**
 * SDK clients: one per session, region and service, shared by the runs that use the session, all on
 * one request handler. A run gets a view of such a client whose `send` goes through `performCall`.
 * No client is ever destroyed: that would close the sockets of all.
 */
import { IAMClient } from '@aws-sdk/client-iam';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';

import { defined } from '../domain/defined.ts';
import { type CallAttempt, type CallContext, type CallSettings, performCall } from './call.ts';
import type { AwsService, SessionService } from './services.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export type CredentialsProvider = () => Promise<Credentials>;

/** What a client sends its requests with: Node's own handler, or a test's. */
export interface RequestHandler {
  handle(request: never, options?: never): Promise<{ readonly response: unknown }>;
}

export interface ClientMaker {
  readonly requestHandler: RequestHandler;
  readonly endpoints: Readonly<Partial<Record<AwsService, string>>>;
  readonly isFips: boolean;
}

interface Clients {
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly ssm: SSMClient;
  readonly secretsmanager: SecretsManagerClient;
}

const constructors = { sts: STSClient, iam: IAMClient, ssm: SSMClient, secretsmanager: SecretsManagerClient } as const;

export interface ClientOptions {
  readonly region: string;
  readonly credentials: CredentialsProvider;
}

export function createClient<S extends SessionService>(
  maker: ClientMaker,
  service: S,
  options: ClientOptions,
): Clients[S] {
  return new constructors[service](clientConfig(maker, service, options)) as Clients[S];
}

export function clientConfig(maker: ClientMaker, service: AwsService, options: ClientOptions) {
  const endpoint = maker.endpoints[service];
  return {
    region: options.region,
    // Marked as memoized; otherwise each client would wrap it in another cache.
    credentials: Object.assign(() => options.credentials(), { memoized: true as const }),
    requestHandler: maker.requestHandler as never,
    maxAttempts: 1,
    // Endpoint settings are checked at the start; later changes are ignored.
    ignoreConfiguredEndpointUrls: true,
    useFipsEndpoint: maker.isFips,
    customUserAgent: 'keyferry',
    ...defined({ endpoint }),
  };
}

/** What a client's `send` does with a command, for all commands of one class. */
type Handler = (args: Sent) => Promise<{ readonly output: unknown }>;

interface Sent {
  readonly input: unknown;
  readonly attempt: CallAttempt;
  readonly request?: never;
}

type Middleware = (next: unknown) => (args: Sent) => Promise<unknown>;

interface Stack {
  add(middleware: Middleware, options: object): void;
  clone(): Stack;
  remove(name: string): boolean;
}

interface AnyClient {
  readonly config: { readonly requestHandler: RequestHandler };
  readonly middlewareStack: Stack;
  send(command: AnyCommand): Promise<unknown>;
}

interface AnyCommand {
  readonly constructor: (new (input: object) => AnyCommand) & { readonly name: string };
  readonly input: unknown;
  readonly middlewareStack: Stack;
  resolveMiddleware(stack: Stack, config: object, options: object): Handler;
}

/** The same client for one run's calls: still an instance of its class, as paginators demand. */
export function guardClient<C extends object>(client: C, settings: CallSettings, context: CallContext): C {
  const shared = client as unknown as AnyClient;
  const view = Object.create(client) as AnyClient;
  view.send = (command) =>
    performCall(settings, context, {
      operationName: operationNameOf(command),
      input: command.input,
      send: async (attempt) => (await handlerOf(shared, command)({ input: command.input, attempt })).output,
    });
  return view as unknown as C;
}

const handlers = new WeakMap<AnyClient, Map<unknown, Handler>>();

/** Kept, since the SDK would put its middleware together again for each command it sends. */
function handlerOf(client: AnyClient, { constructor: Command }: AnyCommand): Handler {
  const known = handlers.get(client) ?? new Map<unknown, Handler>();
  handlers.set(client, known);
  const handler = known.get(Command) ?? createHandler(client, new Command({}));
  known.set(Command, handler);
  return handler;
}

/** The command is an empty one: its handler holds on to it for good. */
function createHandler(client: AnyClient, command: AnyCommand): Handler {
  // Innermost: credentials are resolved and the request is signed when this runs.
  const send: Middleware = () => async (args) => {
    const { attempt, request } = args;
    await attempt.beforeSend();
    return client.config.requestHandler.handle(request as never, { abortSignal: attempt.signal } as never);
  };
  command.middlewareStack.add(send, { step: 'deserialize', priority: 'low', name: 'keyferrySend' });
  const stack = client.middlewareStack.clone();
  // It would make a copy of what was sent and answered, for a log that nobody keeps.
  stack.remove('loggerMiddleware');
  return command.resolveMiddleware(stack, client.config, {});
}

function operationNameOf(command: AnyCommand): string {
  return command.constructor.name.replace(/Command$/, '');
}
