/**
 * Where a worker's credentials come from on AWS, on loopback: the credentials endpoint of a
 * container (ECS, EKS Pod Identity), the metadata service of an instance (IMDSv2 only), and STS for
 * web identities (IRSA). Each hands out sessions of a role in the sandbox.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';

import { type AwsSandbox, createSandboxRequestHandler } from '../../src/sandbox/aws/index.ts';

export interface IssuedCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

export interface Issuer {
  readonly roleArn: string;
  issue(): Promise<IssuedCredentials>;
}

/** A role of the worker, whose sessions the sandbox accepts. */
export function createIssuer(sandbox: AwsSandbox, { accountId, roleName }: { accountId: string; roleName: string }) {
  const userName = `issuer-${randomUUID().slice(0, 8)}`;
  const allow = (Action: string, Resource: string) => ({
    Version: '2012-10-17' as const,
    Statement: [{ Effect: 'Allow' as const, Action, Resource }],
  });
  const { arn: roleArn } = sandbox.createRole({
    accountId,
    roleName,
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: `arn:aws:iam::${accountId}:root` } }],
    },
    policy: allow('sts:AssumeRole', '*'),
  });
  sandbox.createUser({ accountId, userName, policy: allow('sts:AssumeRole', '*') });
  const sts = new STSClient({
    region: 'us-east-1',
    credentials: sandbox.createAccessKey({ accountId, userName }),
    requestHandler: createSandboxRequestHandler(sandbox),
  });
  return {
    roleArn,
    async issue(): Promise<IssuedCredentials> {
      const { Credentials: given } = await sts.send(
        new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: 'worker' }),
      );
      return {
        accessKeyId: given?.AccessKeyId ?? '',
        secretAccessKey: given?.SecretAccessKey ?? '',
        sessionToken: given?.SessionToken ?? '',
        expiration: given?.Expiration ?? new Date(0),
      };
    },
  } satisfies Issuer;
}

export interface FakeSource {
  readonly url: string;
  /** How often credentials were given out. */
  readonly issued: () => number;
  close(): Promise<void>;
}

type Answer = { readonly status: number; readonly body?: string };

/**
 * Gives credentials to whoever shows the token that is valid now, as the agent of ECS or EKS does.
 */
export async function startContainerCredentials(issuer: Issuer, validToken: () => string | undefined) {
  return serve(async ({ headers }, count) => {
    if (headers.authorization !== validToken()) return { status: 401, body: '{"Message":"canary of the agent"}' };
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await issuer.issue();
    count();
    return {
      status: 200,
      body: JSON.stringify({
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiration.toISOString(),
        RoleArn: issuer.roleArn,
      }),
    };
  });
}

const IMDS_ROLE = '/latest/meta-data/iam/security-credentials/';

/** IMDSv2: no answer without a token that was put before. */
export async function startInstanceMetadata(issuer: Issuer, hasRole: () => boolean = () => true) {
  const tokens = new Set<string>();
  return serve(async ({ method, url = '', headers }, count) => {
    if (method === 'PUT' && url === '/latest/api/token') {
      if (headers['x-aws-ec2-metadata-token-ttl-seconds'] === undefined) return { status: 400 };
      const token = randomUUID();
      tokens.add(token);
      return { status: 200, body: token };
    }
    if (!tokens.has(String(headers['x-aws-ec2-metadata-token']))) return { status: 401 };
    if (!hasRole()) return { status: 404 };
    if (url === IMDS_ROLE) return { status: 200, body: 'worker' };
    if (url !== `${IMDS_ROLE}worker`) return { status: 404 };
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await issuer.issue();
    count();
    return {
      status: 200,
      body: JSON.stringify({
        Code: 'Success',
        Type: 'AWS-HMAC',
        LastUpdated: new Date().toISOString(),
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiration.toISOString(),
      }),
    };
  });
}

async function serve(answer: (request: IncomingMessage, count: () => void) => Promise<Answer>): Promise<FakeSource> {
  let issued = 0;
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { status, body = '' } = await answer(request, () => (issued += 1));
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };
  const server: Server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    issued: () => issued,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

type Handler = ReturnType<typeof createSandboxRequestHandler>;

/** The sandbox, and STS that also takes the token of a web identity which is valid now. */
export function withWebIdentity(sandbox: AwsSandbox, issuer: Issuer, validToken: () => string): Handler {
  const rest = createSandboxRequestHandler(sandbox);
  const handle: Handler['handle'] = async (request, options) => {
    const { body } = request;
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : typeof body === 'string' ? body : '';
    const form = new URLSearchParams(text);
    if (form.get('Action') !== 'AssumeRoleWithWebIdentity') return rest.handle(request, options);
    const isAccepted = form.get('WebIdentityToken') === validToken() && form.get('RoleArn') === issuer.roleArn;
    const answer = isAccepted ? webIdentityXml(issuer.roleArn, await issuer.issue()) : EXPIRED_XML;
    return {
      response: {
        statusCode: isAccepted ? 200 : 400,
        headers: { 'content-type': 'text/xml', 'x-amzn-requestid': 'web-identity' },
        body: Buffer.from(answer),
      },
    };
  };
  return { ...rest, handle };
}

const EXPIRED_XML =
  '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>canary of STS</Message></Error><RequestId>web-identity</RequestId></ErrorResponse>';

function webIdentityXml(roleArn: string, one: IssuedCredentials): string {
  const role = roleArn.slice(roleArn.lastIndexOf('/') + 1);
  const account = roleArn.split(':')[4] ?? '';
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${one.accessKeyId}</AccessKeyId><SecretAccessKey>${one.secretAccessKey}</SecretAccessKey><SessionToken>${one.sessionToken}</SessionToken><Expiration>${one.expiration.toISOString()}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:worker</AssumedRoleId><Arn>arn:aws:sts::${account}:assumed-role/${role}/worker</Arn></AssumedRoleUser></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>web-identity</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>`;
}
