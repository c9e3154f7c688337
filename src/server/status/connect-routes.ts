/**
 * The addresses of the connect page, and of new credentials for a connection. Secrets arrive in a
 * form body only, and go nowhere but to the client.
 */
import type { Context, Hono } from 'hono';

import { JobError, toJobError } from '../../errors.ts';
import { type Fields, readForm } from '../guard/form-body.ts';
import { statusOf } from '../../domain/http-status.ts';
import { addressOf } from '../guard/guard.ts';
import { isPrivate } from '../guard/transport.ts';
import { audited, tokenFor, type Acting } from './acting.ts';
import { baseOf } from './base-account.ts';
import { connectContent, credentialsContent, type Method, notPrivate } from './connect.ts';
import { problemsByField } from './fields.ts';
import { parseWanted, ORG } from './needed-policies.ts';
import { type ActingPages, doneAddress, readOnly } from './order-routes.ts';
import { findSubject } from './readers.ts';
import { type Content, orderNotice, show, showFailure, showNotFound, showRefusal } from './shown.ts';
import type { Client } from '../../client/types/client.ts';
import type { CreateConnection } from '../../client/types/connection.ts';

const methods: readonly Method[] = ['role', 'access-key'];

export function addConnect(app: Hono, pages: ActingPages): void {
  app.get('/connect', pages.guard, (c) => c.redirect('/connect/role', 302));
  for (const method of methods) {
    app.get(`/connect/${method}`, pages.guard, (c) => look(c, pages, { method, page: showConnect }));
    app.post(`/connect/${method}`, pages.guard, (c) => receive(c, pages, { method, accept: connect }));
    app.get(`/connections/:id/${method}`, pages.guard, (c) => look(c, pages, { method, page: showCredentials }));
    app.post(`/connections/:id/${method}`, pages.guard, (c) => receive(c, pages, { method, accept: replace }));
  }
}

type ShowForm = (c: Context, pages: ActingPages, shown: Shown) => Promise<Response>;

/** An empty form. */
async function look(
  c: Context,
  pages: ActingPages,
  { method, page }: { readonly method: Method; readonly page: ShowForm },
) {
  try {
    return await page(c, pages, { method, values: {} });
  } catch (error) {
    return showFailure(c, pages, error);
  }
}

interface Received {
  readonly method: Method;
  readonly acting: Acting;
  readonly fields: Fields;
}

interface Receiving {
  readonly method: Method;
  accept(c: Context, pages: ActingPages, received: Received): Promise<Response>;
}

async function receive(c: Context, pages: ActingPages, { method, accept }: Receiving): Promise<Response> {
  const { acting } = pages;
  if (acting === undefined) return showRefusal(c, pages, readOnly);
  // Before the body is read: a secret that came in the clear is not read at all.
  if (method === 'access-key' && !mayTypeSecret(c)) return showRefusal(c, pages, { status: 403, ...notPrivate });
  const form = await readForm(c, acting.signatures);
  if ('refusal' in form) return showRefusal(c, pages, form.refusal);
  try {
    return await accept(c, pages, { method, acting, fields: form.fields });
  } catch (error) {
    return showFailure(c, pages, error);
  }
}

function mayTypeSecret(c: Context): boolean {
  return isPrivate({ peer: addressOf(c), header: (name) => c.req.header(name) });
}

async function connect(c: Context, pages: ActingPages, { method, acting, fields }: Received): Promise<Response> {
  const { org = '' } = fields;
  const shown = { method, values: withoutSecret(fields) };
  if (!ORG.test(org)) return showConnect(c, pages, { ...shown, error: orgProblem() });
  try {
    const id = await audited(
      c,
      { acting, log: pages.log },
      {
        orgId: org,
        action: 'connection.create',
        subject: undefined,
        make: async ({ connections }) => (await connections.create(toInput(method, fields))).connection.id,
      },
    );
    return c.redirect(doneAddress(acting, { kind: 'connection', id, action: 'connect' }), 303);
  } catch (error) {
    requireAnswer(error);
    return showConnect(c, pages, { ...shown, error });
  }
}

function orgProblem(): JobError {
  const problem = 'org must be 2 to 128 letters, digits or + = , . @ : / -';
  return new JobError('PAYLOAD_INVALID', { message: `${problem}.`, context: { problems: [problem] } });
}

async function replace(c: Context, pages: ActingPages, { method, acting, fields }: Received): Promise<Response> {
  const subject = await findSubject(pages.queries, 'connection', c.req.param('id'));
  if (subject === undefined) return showNotFound(c, pages);
  const { id, orgId } = subject;
  try {
    const make = async ({ connections }: Client) =>
      (await connections.update(id, { credentials: toCredentials(method, fields) })).id;
    const change = { orgId, action: 'connection.update', subject: id, make };
    await audited(c, { acting, log: pages.log }, change);
    return c.redirect(doneAddress(acting, { kind: 'connection', id, action: 'replace' }), 303);
  } catch (error) {
    requireAnswer(error);
    return showCredentials(c, pages, { method, values: withoutSecret(fields), error });
  }
}

function toInput(method: Method, fields: Fields): CreateConnection {
  const { name = '', region = '', projectId = '' } = fields;
  return {
    name,
    ...(region === '' ? {} : { region }),
    ...(projectId === '' ? {} : { projectId }),
    credentials: toCredentials(method, fields),
  };
}

function toCredentials(method: Method, fields: Fields): CreateConnection['credentials'] {
  if (method === 'role') return { method: 'assume-role', roleArn: fields.roleArn ?? '' };
  const { accessKeyId = '', secretAccessKey = '' } = fields;
  return { method: 'access-key', accessKeyId, secretAccessKey };
}

function withoutSecret({ secretAccessKey: _secret, ...others }: Fields): Fields {
  return others;
}

interface Shown {
  readonly method: Method;
  readonly values: Fields;
  /** Why what was typed is not accepted. */
  readonly error?: unknown;
}

/** Fields of the client by the name of their field here. */
const paths = {
  org: 'org',
  name: 'name',
  region: 'region',
  projectId: 'projectId',
  'credentials.roleArn': 'roleArn',
  'credentials.accessKeyId': 'accessKeyId',
  'credentials.secretAccessKey': 'secretAccessKey',
} as const;

/** Each problem beside its field; what belongs to none, above the page. */
function explain(error: unknown, label: string): { readonly errors: Fields; readonly told: Partial<Content> } {
  if (error === undefined) return { errors: {}, told: {} };
  const { context } = toJobError(error);
  const { byField, others } = problemsByField(context.problems ?? [], paths);
  const isAllBeside = Object.keys(byField).length > 0 && others.length === 0;
  return { errors: byField, told: orderNotice(isAllBeside ? fieldsAreWrong(byField) : error, label) };
}

function fieldsAreWrong(byField: Fields): JobError {
  const count = Object.keys(byField).length;
  const message =
    count === 1 ? 'One field is not right; see below.' : `${String(count)} fields are not right; see below.`;
  return new JobError('PAYLOAD_INVALID', { message });
}

async function showConnect(c: Context, pages: ActingPages, { method, values, error }: Shown): Promise<Response> {
  const wanted = parseWanted((name) => c.req.query(name), pages.acting?.org ?? 'default');
  const base = await baseOf(pages, wanted.account);
  const { errors, told } = explain(error, 'Connect');
  const token = tokenFor(c, pages.acting);
  const content = connectContent({ method, wanted, base, values, errors, token, isPrivate: mayTypeSecret(c) });
  // Reloads sooner than usual, but not while somebody types.
  const pace =
    base.of === 'nobody' && error === undefined ? { refresh: LOOK_AGAIN_SECONDS } : { refresh: 'none' as const };
  return show(c, pages, { title: 'Connect', section: 'connections', ...pace, asksForText: true, content, ...told });
}

const LOOK_AGAIN_SECONDS = 3;

async function showCredentials(c: Context, pages: ActingPages, { method, values, error }: Shown): Promise<Response> {
  const subject = await findSubject(pages.queries, 'connection', c.req.param('id'));
  if (subject === undefined) return showNotFound(c, pages);
  const { id, name, orgId } = subject;
  const { errors, told } = explain(error, 'Check and replace');
  const token = tokenFor(c, pages.acting);
  const content = credentialsContent({ id, name, orgId, method, values, errors, token, isPrivate: mayTypeSecret(c) });
  const title = `Credentials of ${name}`;
  return show(c, pages, { title, section: 'connections', refresh: 'none', content, ...told });
}

/** A failure of keyferry itself is not shown as a problem of the form. */
function requireAnswer(error: unknown): void {
  if (statusOf(toJobError(error).code) >= 500) throw toJobError(error);
}
