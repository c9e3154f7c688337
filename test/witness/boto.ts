/**
 * boto3, AWS's own client for Python, as a process: the witness prepares, changes and reads AWS
 * with it, never with the product's code.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { cleanEnvironment } from '../support/environment.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface BotoRequest {
  readonly service: 'sts' | 'iam' | 'ssm' | 'secretsmanager';
  readonly region: string;
  readonly credentials: Credentials;
  /** As boto3 calls it: `put_parameter`. Operations that have pages are read to their end. */
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Field names and values as the API reference has them. */
export type BotoResult = Readonly<Record<string, unknown>>;

export interface Boto {
  /** Throws an Error whose `name` is AWS's code. */
  call(request: BotoRequest): Promise<BotoResult>;
  close(): Promise<void>;
}

interface Line {
  readonly id: number;
  readonly result?: BotoResult;
  readonly error?: { readonly Code: string; readonly Message: string };
}

const PROGRAM = fileURLToPath(new URL('boto_client.py', import.meta.url));

export function startBoto(python: string, endpoint: string): Boto {
  const child = spawn(python, ['-u', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'], env: cleanEnvironment() });
  const waiting = new Map<number, (line: Line) => void>();
  let requests = 0;
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    waiting.get(line.id)?.(line);
    waiting.delete(line.id);
  });
  child.once('exit', (code) => {
    const error = { Code: 'BotoEnded', Message: `The boto3 process ended with ${String(code)}.` };
    for (const [id, resolve] of waiting) resolve({ id, error });
  });
  return {
    async call({ credentials, ...request }) {
      const id = (requests += 1);
      const answered = new Promise<Line>((resolve) => waiting.set(id, resolve));
      child.stdin.write(`${JSON.stringify({ id, endpoint, ...credentials, ...request })}\n`);
      const { result, error } = await answered;
      if (!error) return result ?? {};
      throw Object.assign(new Error(`${request.method}: ${error.Message}`), { name: error.Code });
    },
    async close() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
