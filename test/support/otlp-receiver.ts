/**
 * A collector for OTLP over HTTP: keeps every body as it came, and reads spans and metric names out
 * of the protocol buffers.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface OtlpReceiver {
  /** To be given as OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  spans(): readonly ReceivedSpan[];
  metricNames(): readonly string[];
  /** Everything that was ever received. */
  bytes(): Buffer;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const received: { readonly path: string; readonly body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', body: Buffer.concat(chunks) });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bodies = (path: string) => received.filter((one) => one.path === path).map(({ body }) => body);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: () => bodies('/v1/traces').flatMap((body) => messages(body, [1, 2, 2]).map(toSpan)),
    metricNames: () =>
      bodies('/v1/metrics').flatMap((body) => messages(body, [1, 2, 2]).map((metric) => text(metric, 1))),
    bytes: () => Buffer.concat(received.map(({ body }) => body)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Field numbers as in opentelemetry/proto/trace/v1/trace.proto. */
function toSpan(span: Buffer): ReceivedSpan {
  const id = (field: number) => (read(span).find((one) => one.field === field)?.bytes ?? Buffer.of()).toString('hex');
  const attributes = messages(span, [9]).map((pair) => [text(pair, 1), toValue(messages(pair, [2])[0] ?? Buffer.of())]);
  return {
    traceId: id(1),
    spanId: id(2),
    parentSpanId: id(4),
    name: text(span, 5),
    attributes: Object.fromEntries(attributes) as ReceivedSpan['attributes'],
  };
}

function toValue(value: Buffer): string | number {
  const [first] = read(value);
  return first?.bytes === undefined ? Number(first?.number ?? 0) : first.bytes.toString('utf8');
}

function text(message: Buffer, field: number): string {
  return (
    read(message)
      .find((one) => one.field === field)
      ?.bytes?.toString('utf8') ?? ''
  );
}

/** The messages at the end of a path of field numbers. */
function messages(message: Buffer, path: readonly number[]): Buffer[] {
  const [field, ...rest] = path;
  if (field === undefined) return [message];
  return read(message)
    .filter((one) => one.field === field)
    .flatMap(({ bytes }) => (bytes === undefined ? [] : messages(bytes, rest)));
}

interface Field {
  readonly field: number;
  readonly number?: bigint;
  readonly bytes?: Buffer;
}

/** The wire format of protocol buffers, one level of it. */
function read(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => message.subarray(at, (at += length));
  while (at < message.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    if ((tag & 7) === 0) fields.push({ field, number: varint() });
    else fields.push({ field, bytes: take((tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : Number(varint())) });
  }
  return fields;
}
