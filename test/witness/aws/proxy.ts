/**
 * Stands in front of an emulator of AWS. The product's door checks what emulators do not
 * (signatures and their scope, keys, external IDs, policies, keys that take a while to work) and
 * records every request; the witness's own door lets everything pass and is not counted. Requests
 * reach the emulator one at a time: moto is not safe under concurrency.
 */
import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as sendRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

import { findDenial } from './access.ts';
import { errorCodeOf, refuse, type Answer } from './answers.ts';
import { createIdentities } from './identities.ts';
import { readCall, type AwsCall } from './request.ts';
import { findScopeFault, isSignedWith } from './signature.ts';

export interface RecordedCall {
  /** As `runs.aws_calls` names it: `ssm.PutParameter`. */
  readonly operation: string;
  readonly accessKeyId: string;
  readonly region: string;
  readonly accountId: string;
  /** The error's code; undefined when the call succeeded. */
  readonly error: string | undefined;
  /** Nobody heard the answer. */
  readonly isLost: boolean;
}

/**
 * Runs once, at the `nth` call of the operation from now on: before the emulator sees it, or when
 * its answer is about to leave.
 */
export interface Interruption {
  readonly operation: string;
  readonly nth: number;
  /** Only calls that name this; probes of permissions name what does not exist. */
  readonly naming?: string;
  readonly moment: 'before' | 'after';
  /** What the client gets; `drop` ends the connection without an answer. */
  readonly act: () => Promise<'pass' | 'drop' | 'throttle' | 'fail'>;
}

export interface AwsProxy {
  /** For the product. */
  readonly url: string;
  /** For whoever prepares and reads the emulator. */
  readonly witnessUrl: string;
  readonly calls: readonly RecordedCall[];
  /** Calls that have arrived and are not recorded yet. */
  callsUnderWay(): number;
  /** How long a key that the product makes is unknown to AWS. */
  keyDelayMs: number;
  /** Resolves when it has happened. */
  interrupt(interruption: Interruption): Promise<void>;
  close(): Promise<void>;
}

/** The account that an emulator puts everybody in who signs with a key that it does not know. */
export const DEFAULT_ACCOUNT = '123456789012';

interface Pending extends Interruption {
  remaining: number;
  readonly done: () => void;
}

export async function startAwsProxy(upstream: string): Promise<AwsProxy> {
  const state = {
    upstream: new URL(upstream),
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    identities: createIdentities(),
    calls: [] as RecordedCall[],
    pending: [] as Pending[],
    keyDelayMs: 0,
    underWay: 0,
  };
  const product = await listen((request, response) => serveProduct(state, request, response));
  const witness = await listen((request, response) => serveWitness(state, request, response));
  return {
    url: urlOf(product),
    witnessUrl: urlOf(witness),
    calls: state.calls,
    callsUnderWay: () => state.underWay,
    get keyDelayMs() {
      return state.keyDelayMs;
    },
    set keyDelayMs(delayMs) {
      state.keyDelayMs = delayMs;
    },
    interrupt: (interruption) =>
      new Promise((resolve) => state.pending.push({ ...interruption, remaining: interruption.nth, done: resolve })),
    async close() {
      state.agent.destroy();
      for (const server of [product, witness]) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
}

type State = {
  readonly upstream: URL;
  readonly agent: Agent;
  readonly identities: ReturnType<typeof createIdentities>;
  readonly calls: RecordedCall[];
  readonly pending: Pending[];
  keyDelayMs: number;
  underWay: number;
};

async function listen(serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Server> {
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      process.stderr.write(`the proxy failed: ${String(error)}\n`);
      response.writeHead(500).end();
    });
  });
  // A connection that is closed as a call arrives would be a call that only the product counts.
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const urlOf = (server: Server): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

async function serveWitness(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = await readCall(request);
  const answer = await forward(state, call);
  const accountId = state.identities.key(call.signature?.accessKeyId ?? '')?.accountId ?? DEFAULT_ACCOUNT;
  if (answer.status < 400) state.identities.learn(call, answer.body, { accountId, keyDelayMs: 0 });
  response.writeHead(answer.status, answer.headers).end(answer.body);
}

async function serveProduct(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  state.underWay += 1;
  try {
    await serveCall(state, request, response);
  } finally {
    state.underWay -= 1;
  }
}

async function serveCall(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const call = await readCall(request);
  const before = await interrupt(state, call, 'before');
  const answer = before === 'pass' ? await answerCall(state, call) : injected(call, before);
  const after = before === 'pass' ? await interrupt(state, call, 'after') : 'pass';
  const final = after === 'throttle' || after === 'fail' ? injected(call, after) : answer;
  const isLost = before === 'drop' || after === 'drop' || response.destroyed;
  record(state, call, { final, isLost });
  if (isLost) response.destroy();
  else response.writeHead(final.status, final.headers).end(final.body);
}

async function interrupt(state: State, call: AwsCall, moment: 'before' | 'after') {
  const name = operationName(call);
  const due = state.pending.find(
    (one) =>
      one.operation === name &&
      one.moment === moment &&
      call.body.includes(one.naming ?? '') &&
      (one.remaining -= 1) === 0,
  );
  if (!due) return 'pass';
  state.pending.splice(state.pending.indexOf(due), 1);
  const outcome = await due.act();
  due.done();
  return outcome;
}

function injected(call: AwsCall, outcome: 'drop' | 'throttle' | 'fail'): Answer {
  return outcome === 'throttle'
    ? refuse(call, 'throttled', 'Rate exceeded')
    : refuse(call, 'failed', 'An internal error occurred.');
}

async function answerCall(state: State, call: AwsCall): Promise<Answer> {
  const { signature } = call;
  if (!signature) return refuse(call, 'unknown-key', 'The request is not signed.');
  const key = state.identities.key(signature.accessKeyId);
  if (
    !key ||
    key.status !== 'Active' ||
    Date.now() < key.usableAtMs ||
    key.sessionToken !== call.headers['x-amz-security-token']
  )
    return refuse(call, 'unknown-key', 'The security token included in the request is invalid.');
  const fault = findScopeFault(call, signature);
  if (fault !== undefined) return refuse(call, 'wrong-signature', fault);
  if (!isSignedWith(key.secretAccessKey, call, signature))
    return refuse(
      call,
      'wrong-signature',
      'The request signature we calculated does not match the signature you provided.',
    );
  const denial = findDenial(call, key, state.identities);
  if (denial !== undefined) return refuse(call, 'denied', denial);
  const answer = await forward(state, call);
  if (answer.status < 400)
    state.identities.learn(call, answer.body, { accountId: key.accountId, keyDelayMs: state.keyDelayMs });
  return answer;
}

function forward({ upstream, agent }: State, call: AwsCall): Promise<Answer> {
  const body = bodyFor(call);
  const headers = { ...call.headers, 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { agent, method: call.method, path: call.path, headers };
    const outgoing = sendRequest(upstream, options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({
          status: answer.statusCode ?? 500,
          headers: plainHeaders(answer),
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/**
 * moto keeps a default version of its own, which does not follow AWSCURRENT when that is moved: so
 * AWS's default is said in words.
 */
function bodyFor(call: AwsCall): string {
  const { VersionId, VersionStage } = call.fields;
  if (call.operation !== 'GetSecretValue' || VersionId !== undefined || VersionStage !== undefined) return call.body;
  return JSON.stringify({ ...call.fields, VersionStage: 'AWSCURRENT' });
}

function plainHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept = ['content-type', 'x-amzn-requestid', 'x-amzn-errortype', 'date'];
  return Object.fromEntries(
    kept.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  );
}

function record(
  { calls, identities }: State,
  call: AwsCall,
  { final, isLost }: { final: Answer; isLost: boolean },
): void {
  const accessKeyId = call.signature?.accessKeyId ?? '';
  calls.push({
    operation: operationName(call),
    accessKeyId,
    region: call.signature?.region ?? '',
    accountId: identities.key(accessKeyId)?.accountId ?? '',
    error: errorCodeOf(final),
    isLost,
  });
}

const operationName = ({ service, operation }: AwsCall): string => `${service}.${operation}`;
