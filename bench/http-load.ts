/**
 * Requests over kept connections, one at a time on each, as cheap as they can be made: the
 * generator shares the machine with what it measures, so requests are prepared texts and of an
 * answer only the status and the length are read.
 */
import { connect, type Socket } from 'node:net';

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** The next request, whole. */
  next(): string;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** Throws at the first answer that is not 200. */
export async function measureLoad(load: Load): Promise<LoadResult> {
  const times: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + load.seconds * 1_000;
  await Promise.all(Array.from({ length: load.connections }, () => drive(load, endsAt, times)));
  const elapsedSeconds = (performance.now() - startedAt) / 1_000;
  times.sort((one, other) => one - other);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { perSecond: times.length / elapsedSeconds, p50Ms: at(0.5), p95Ms: at(0.95) };
}

export function requestText(method: string, path: string, options: { token?: string; body?: unknown } = {}): string {
  const body = options.body === undefined ? '' : JSON.stringify(options.body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    ...(options.token === undefined ? [] : [`Authorization: Bearer ${options.token}`]),
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

async function drive(load: Load, endsAt: number, times: number[]): Promise<void> {
  const { hostname, port } = new URL(load.url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  try {
    while (performance.now() < endsAt) {
      const sentAt = performance.now();
      await exchange(socket, load.next());
      times.push(performance.now() - sentAt);
    }
  } finally {
    socket.destroy();
  }
}

function exchange(socket: Socket, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!isWhole(text)) return;
      socket.off('data', onData);
      socket.off('error', reject);
      if (text.startsWith('HTTP/1.1 200')) resolve();
      else reject(new Error(text.slice(0, 1_000)));
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.write(request);
  });
}

function isWhole(text: string): boolean {
  const headerEnd = text.indexOf('\r\n\r\n');
  if (headerEnd < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, headerEnd))?.[1];
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length >= headerEnd + 4 + Number(length);
}
