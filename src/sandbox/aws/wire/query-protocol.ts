/** The query protocol of STS and IAM: form parameters in, XML out. */
import { AwsError } from '../aws-error.ts';
import type { OperationModel } from './service-model.ts';
import type { Shapes } from './shapes.ts';

interface FormNode {
  value?: string;
  readonly children: Map<string, FormNode>;
}

export function parseFormBody(body: Uint8Array): Map<string, string> {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  return new Map(new URLSearchParams(text));
}

/**
 * Turns `Tags.member.1.Key=…` into `{ Tags: [{ Key: … }] }`, guided by the operation's input shape.
 */
export function toQueryInput(model: OperationModel, form: ReadonlyMap<string, string>): unknown {
  if (model.inputShape === undefined) return {};
  const root: FormNode = { children: new Map() };
  for (const [name, value] of form) insert(root, name.split('.'), value);
  return readNode(model.service.shapes, model.inputShape, root);
}

function insert(root: FormNode, path: readonly string[], value: string): void {
  let node = root;
  for (const part of path) {
    let child = node.children.get(part);
    if (!child) node.children.set(part, (child = { children: new Map() }));
    node = child;
  }
  node.value = value;
}

function readNode(shapes: Shapes, shapeName: string, node: FormNode): unknown {
  const shape = shapes[shapeName];
  switch (shape?.type) {
    case 'structure': {
      const out: Record<string, unknown> = {};
      for (const [name, member] of Object.entries(shape.members ?? {})) {
        const child = node.children.get(name);
        if (child) out[name] = readNode(shapes, member.shape, child);
      }
      return out;
    }
    case 'list':
      return readList(shapes, shape.member ?? '', node);
    case 'integer':
    case 'long':
      return readInteger(node.value ?? '');
    case 'boolean':
      return node.value === 'true';
    default:
      return node.value ?? '';
  }
}

function readList(shapes: Shapes, member: string, node: FormNode): unknown[] {
  const items = [...(node.children.get('member')?.children ?? [])];
  return items.sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => readNode(shapes, member, child));
}

function readInteger(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new AwsError('MalformedInput', `Invalid integer: ${text}`);
  return Number(text);
}

export function toXmlResult(model: OperationModel, output: object, requestId: string): string {
  const result =
    model.resultWrapper === undefined ? '' : `<${model.resultWrapper}>${membersToXml(output)}</${model.resultWrapper}>`;
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
  return `<${model.name}Response xmlns="${model.service.xmlNamespace ?? ''}">${result}${metadata}</${model.name}Response>`;
}

export interface XmlError {
  readonly code: string;
  readonly message: string;
  readonly status: number;
  readonly namespace: string;
}

export function toXmlError({ code, message, status, namespace }: XmlError, requestId: string): string {
  const type = status >= 500 ? 'Receiver' : 'Sender';
  const error = `<Error><Type>${type}</Type><Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>`;
  return `<ErrorResponse xmlns="${namespace}">${error}<RequestId>${requestId}</RequestId></ErrorResponse>`;
}

function membersToXml(value: object): string {
  let out = '';
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) out += `<${name}>${valueToXml(member)}</${name}>`;
  }
  return out;
}

function valueToXml(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => `<member>${valueToXml(item)}</member>`).join('');
  if (value instanceof Date) return `${value.toISOString().slice(0, 19)}Z`;
  if (value instanceof Map) return mapToXml(value);
  if (typeof value === 'object' && value !== null) return membersToXml(value);
  return escapeXml(String(value));
}

function mapToXml(map: ReadonlyMap<unknown, unknown>): string {
  let out = '';
  for (const [key, value] of map)
    out += `<entry><key>${valueToXml(key)}</key><value>${valueToXml(value)}</value></entry>`;
  return out;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escapeXml(text: string): string {
  return /[&<>"'\r]/.test(text) ? text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c).replace(/\r/g, '&#xD;') : text;
}
