/**
 * docs/events.md, held to the code: its table, its samples, and the receiver of its first lines.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { eventKinds } from '../../../src/domain/webhooks.ts';
import { toMessage } from '../../../src/server/webhook/message.ts';
import { eventSamples } from '../../support/event-samples.ts';

const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
const [receiver = ''] = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

describe('the page of events', () => {
  it('lists every event, and when it is sent', () => {
    const rows = [...page.matchAll(/^\| `([a-z.-]+)` \| (.*) \|$/gm)].map(([, kind, when]) => [kind, when]);
    expect(Object.fromEntries(rows)).toEqual(eventKinds);
  });

  it('has a sample for every form', () => {
    const own = Object.keys(eventKinds).filter((kind) => kind in eventSamples);
    expect(own).toEqual([
      ...['sync.changed', 'sync.failed', 'rotation.published', 'rotation.retiring-soon', 'rotation.retired'],
      ...['rotation.overdue', 'webhook.test'],
    ]);
  });

  it('begins with a receiver of at most 20 lines', () => {
    expect(page.indexOf('```ts')).toBeLessThan(200);
    expect(receiver.trim().split('\n').length).toBeLessThanOrEqual(20);
  });
});

describe('the receiver of that page', () => {
  const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-events-'));
  let child: ChildProcess;
  let url: string;
  let printed = '';

  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${String(port)}/`;
    const file = join(folder, 'receiver.mjs');
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    writeFileSync(file, ts.transpileModule(receiver, { compilerOptions: options }).outputText);
    child = spawn(process.execPath, [file], { env: { WEBHOOK_SECRET: secret, PORT: String(port) } });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    await untilItListens(port);
  });
  afterAll(() => {
    child.kill();
    rmSync(folder, { recursive: true });
  });

  const message = (now = new Date(), with_ = secret) =>
    toMessage(
      { id: crypto.randomUUID(), event: 'sync.changed', createdAt: now, payload: { name: 'äpi' } },
      { secret: with_, format: 'standard' },
      now,
    );
  const send = async (one: { readonly body: string; readonly headers: Readonly<Record<string, string>> }) =>
    (await fetch(url, { method: 'POST', ...one })).status;

  it('takes what is signed, and does it once', async () => {
    const one = message();
    expect([await send(one), await send(one), printed]).toEqual([204, 204, 'sync.changed äpi\n']);
  });

  it('refuses what is changed, signed by another or old', async () => {
    const [changed, other, old] = [message(), message(new Date(), `whsec_${'A'.repeat(44)}`), message(new Date(0))];
    const results = [await send({ ...changed, body: `${changed.body} ` }), await send(other), await send(old)];
    expect(results).toEqual([401, 401, 401]);
    expect(await send({ body: '{}', headers: {} })).toBe(401);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilItListens(port: number): Promise<void> {
  for (;;) {
    const isUp = await fetch(`http://127.0.0.1:${String(port)}/`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
