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
import { type CallContext, type CallSettings, performCall } from './call.ts';
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

interface AnyClient {
  send(command: AnyCommand, options?: object): Promise<unknown>;
}

interface AnyCommand {
  readonly constructor: { readonly name: string };
  readonly input: unknown;
  readonly middlewareStack: {
    add(
      middleware: (next: (args: unknown) => Promise<unknown>) => (args: unknown) => Promise<unknown>,
      options: object,
    ): void;
  };
}

/** The same client for one run's calls: still an instance of its class, as paginators demand. */
export function guardClient<C extends object>(client: C, settings: CallSettings, context: CallContext): C {
  const shared = client as unknown as AnyClient;
  const view = Object.create(client) as AnyClient;
  view.send = (command, options) =>
    performCall(settings, context, {
      operationName: operationNameOf(command),
      input: command.input,
      send: (attempt) => {
        // Innermost: credentials are resolved and the request is signed when this runs.
        command.middlewareStack.add(
          (next) => async (args) => {
            await attempt.beforeSend();
            return next(args);
          },
          { step: 'finalizeRequest', priority: 'low', name: 'keyferryBeforeSend', override: true },
        );
        return shared.send(command, { ...options, abortSignal: attempt.signal });
      },
    });
  return view as unknown as C;
}

function operationNameOf(command: AnyCommand): string {
  return command.constructor.name.replace(/Command$/, '');
}
