/**
 * The connect page: choose a method, give AWS what keyferry needs, paste the role or the key,
 * connect. Pure.
 */
import { html } from 'hono/html';

import { policyFormats } from '../../domain/policy/formats.ts';
import { type BaseAccount, serversAccount, unknownBase } from './base-account.ts';
import { choice, field } from './fields.ts';
import { roleSnippets, type Snippet, userSnippets, uses, type Wanted } from './needed-policies.ts';
import { type FormToken, hiddenToken } from './order-forms.ts';
import { type Html, panel, prose } from './parts.ts';

export type Method = 'role' | 'access-key';

export interface ConnectPage {
  readonly method: Method;
  readonly wanted: Wanted;
  readonly base: BaseAccount;
  readonly token: FormToken;
  /** Whether a secret may be typed here. */
  readonly isPrivate: boolean;
  /** What was typed before, never a secret. */
  readonly values: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
}

const methods: readonly (readonly [Method, string, string])[] = [
  ['role', 'Role', 'recommended: no secret to keep, sessions of an hour'],
  ['access-key', 'Access key', 'of an IAM user, stored encrypted'],
];

function methodTabs({ method, wanted }: ConnectPage): Html {
  const query = addressOf(wanted);
  return html`<nav class="tabs" aria-label="Method">
    ${methods.map(
      ([name, title, note]) =>
        html`<a href="/connect/${name}?${query}" ${name === method ? html` aria-current="page"` : ''}
          ><b>${title}</b> <span class="small">${note}</span></a
        >`,
    )}
  </nav>`;
}

function addressOf(wanted: Wanted): string {
  return new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== '')).toString();
}

function wantedPanel({ method, wanted }: ConnectPage): Html {
  const formats = policyFormats.map((one): readonly [string, string] => [one, formatTitles[one]]);
  return panel({
    title: '1. What it is for',
    body: html`<form class="body fields columns" method="get" action="/connect/${method}">
      ${field({ form: 'wanted-', name: 'org', label: 'Org', value: wanted.org, isRequired: true, maxLength: 128 })}
      ${choice({ name: 'use', label: 'Use', value: wanted.use, options: uses })}
      ${field({ form: 'wanted-', name: 'object', label: 'Path, prefix, secret or user', value: wanted.object, placeholder: '/app/prod/' })}
      ${field({ form: 'wanted-', name: 'region', label: 'Region', value: wanted.region, placeholder: 'eu-west-1', maxLength: 32 })}
      ${field({ form: 'wanted-', name: 'kmsKey', label: 'KMS key of your own', value: wanted.kmsKey })}
      ${method === 'role' ? field({ form: 'wanted-', name: 'account', label: 'Account of keyferry’s own identity', value: wanted.account, maxLength: 12 }) : ''}
      ${choice({ name: 'format', label: 'Format', value: wanted.format, options: formats })}
      <div><button type="submit">Show the policies</button></div>
    </form>`,
  });
}

const formatTitles = { json: 'JSON', cloudformation: 'CloudFormation', terraform: 'Terraform' } as const;

function snippet({ title, text }: Snippet): Html {
  return html`<figure class="snippet">
    <figcaption>${title}</figcaption>
    <pre tabindex="0" role="region" aria-label="${title}">${text}</pre>
  </figure>`;
}

const howToRole =
  'In AWS’s console: create a role, trusted entity type “Custom trust policy”, paste the trust policy; then add the permissions as an inline policy. The external ID in it is your org’s, and keyferry sends no other.';
const howToUser =
  'In AWS’s console: create an IAM user without console access, add the permissions as an inline policy, then create an access key for it.';

function policiesPanel({ method, wanted, base }: ConnectPage): Html {
  const title = '2. What AWS must allow';
  if (method === 'access-key')
    return panel({
      title,
      body: html`<div class="body">
        <p>${howToUser}</p>
        ${userSnippets(wanted, base.of === 'nobody' ? 'aws' : base.partition).map(snippet)}
      </div>`,
    });
  if (base.of === 'nobody') return panel({ title, body: unknownBase(base.reason) });
  return panel({
    title,
    body: html`<div class="body">
      <p>${howToRole}</p>
      ${base.of === 'server' ? html`<p class="muted small">${serversAccount(base.accountId)}</p>` : ''}
      ${roleSnippets(wanted, base).map(snippet)}
    </div>`,
  });
}

function credentialFields(method: Method, { values, errors }: Pick<ConnectPage, 'values' | 'errors'>): readonly Html[] {
  const of = (name: string) => ({ name, value: values[name], error: errors[name], isRequired: true });
  if (method === 'role')
    return [field({ ...of('roleArn'), label: 'Role ARN', placeholder: 'arn:aws:iam::111122223333:role/keyferry' })];
  return [
    field({ ...of('accessKeyId'), label: 'Access key ID', placeholder: 'AKIA…', maxLength: 128 }),
    field({
      ...of('secretAccessKey'),
      label: 'Secret access key',
      hint: 'It is stored encrypted and never shown again.',
      isSecret: true,
    }),
  ];
}

function connectForm(page: ConnectPage, token: string): Html {
  const { method, wanted, values, errors } = page;
  const of = (name: string) => ({ name, value: values[name], error: errors[name] });
  return html`<form class="body fields" method="post" action="/connect/${method}?${addressOf(wanted)}">
    ${hiddenToken(token)}
    ${field({ ...of('org'), label: 'Org', value: values.org ?? wanted.org, isRequired: true, maxLength: 128, hint: 'Whose connection it is.' })}
    ${field({ ...of('name'), label: 'Name', isRequired: true, placeholder: 'prod-aws', maxLength: 256 })}
    ${credentialFields(method, page)}
    ${field({ ...of('region'), label: 'Region', value: values.region ?? wanted.region, placeholder: 'eu-west-1', maxLength: 32 })}
    ${field({ ...of('projectId'), label: 'Project', hint: 'Leave it empty for a connection of the whole org.', maxLength: 128 })}
    <div><button type="submit" class="primary">Connect</button></div>
  </form>`;
}

function connectPanel(page: ConnectPage): Html {
  const title = '3. Connect';
  if (page.token === undefined) return panel({ title, body: readOnlyNote(page.method) });
  if (page.method === 'access-key' && !page.isPrivate) return panel({ title, body: notPrivateNote() });
  return panel({ title, body: connectForm(page, page.token) });
}

function readOnlyNote(method: Method): Html {
  const command =
    method === 'role'
      ? 'keyferry connection create --name NAME --method assume-role --role-arn ARN'
      : 'keyferry connection create --name NAME --method access-key --access-key-id AKIA…';
  return html`<div class="body">
    <p>Operators may only look here. Connect with <code>${command}</code>.</p>
    <p class="fix"><b>Fix:</b> start the server with <code>KEYFERRY_BOARD_WRITABLE=true</code> to act on this page.</p>
  </div>`;
}

export const notPrivate = {
  message: 'The secret access key would travel in the clear: this page was reached without TLS from another machine.',
  fix: 'Open it by https or on this machine’s own `localhost`, or run `keyferry connection create --method access-key`. A proxy must send `X-Forwarded-Proto: https`.',
} as const;

function notPrivateNote(): Html {
  return html`<div class="body">
    <p>${notPrivate.message}</p>
    <p class="fix"><b>Fix:</b> ${prose(notPrivate.fix)}</p>
  </div>`;
}

export function connectContent(page: ConnectPage): Html {
  return html`<header>
      <h1>Connect an AWS account</h1>
      <p class="sub">keyferry checks the connection at once and shows what is missing.</p>
    </header>
    ${methodTabs(page)} ${wantedPanel(page)} ${policiesPanel(page)} ${connectPanel(page)}`;
}

export interface CredentialsPage extends Pick<ConnectPage, 'method' | 'token' | 'isPrivate' | 'values' | 'errors'> {
  readonly id: string;
  readonly name: string;
  readonly orgId: string;
}

/** New credentials of a connection: AWS is asked before they replace the present ones. */
export function credentialsContent(page: CredentialsPage): Html {
  const { id, name, orgId, method, token, isPrivate } = page;
  const tabs = methods.map(
    ([one, title]) =>
      html`<a href="/connections/${id}/${one}" ${one === method ? html` aria-current="page"` : ''}><b>${title}</b></a>`,
  );
  const mayType = method === 'role' || isPrivate;
  const form =
    token === undefined || !mayType
      ? html`${token === undefined ? readOnlyNote(method) : notPrivateNote()}`
      : html`<form class="body fields" method="post" action="/connections/${id}/${method}">
          ${hiddenToken(token)} ${credentialFields(method, page)}
          <div><button type="submit" class="primary">Check and replace</button></div>
        </form>`;
  return html`<header>
      <h1>Credentials of ${name}</h1>
      <p class="sub">
        <a href="/connections/${id}">${name}</a> of ${orgId}. AWS is asked first; refused credentials change nothing.
      </p>
    </header>
    <nav class="tabs" aria-label="Method">${tabs}</nav>
    ${panel({
      title: 'New credentials',
      more: html`<a href="/connect/${method}?org=${encodeURIComponent(orgId)}">What AWS must allow</a>`,
      body: form,
    })}`;
}
