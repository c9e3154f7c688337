/**
 * Form fields with their label, hint and error, tied together for screen readers. A secret's field
 * never gets a value.
 */
import { html } from 'hono/html';

import { type Html, prose } from './parts.ts';

export interface Field {
  readonly name: string;
  readonly label: string;
  /** Distinguishes fields of the same name in two forms. */
  readonly form?: string;
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly isRequired?: boolean;
  /** Typed text is hidden, and no browser is asked to keep it. */
  readonly isSecret?: boolean;
  readonly placeholder?: string;
  readonly maxLength?: number;
}

export function field({ name, label, form = '', hint, error, ...field }: Field): Html {
  const id = `field-${form}${name}`;
  const notes = [...(hint === undefined ? [] : [`${id}-hint`]), ...(error === undefined ? [] : [`${id}-error`])];
  return html`<div class="field">
    <label for="${id}"
      >${label}${field.isRequired === true ? '' : html` <span class="muted small">optional</span>`}</label
    >
    <input
      id="${id}"
      name="${name}"
      type="${field.isSecret === true ? 'password' : 'text'}"
      value="${field.isSecret === true ? '' : (field.value ?? '')}"
      placeholder="${field.placeholder ?? ''}"
      maxlength="${field.maxLength ?? 1_024}"
      autocomplete="${field.isSecret === true ? 'new-password' : 'off'}"
      autocapitalize="none"
      spellcheck="false"
      ${field.isRequired === true ? html` required` : ''}
      ${error === undefined ? '' : html` aria-invalid="true"`}
      ${notes.length === 0 ? '' : html` aria-describedby="${notes.join(' ')}"`}
    />
    ${hint === undefined ? '' : html`<p class="hint" id="${id}-hint">${prose(hint)}</p>`}
    ${error === undefined ? '' : html`<p class="error" id="${id}-error">${prose(error)}</p>`}
  </div>`;
}

export interface Choice {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
}

export function choice({ name, label, value, options }: Choice): Html {
  return html`<div class="field">
    <label for="field-${name}">${label}</label>
    <select id="field-${name}" name="${name}">
      ${options.map(([one, text]) => html`<option value="${one}" ${one === value ? html` selected` : ''}>${text}</option>`)}
    </select>
  </div>`;
}

/**
 * Problems as the client words them (`credentials.roleArn must be …`), by field; what names none of
 * them is left over.
 */
export function problemsByField(
  problems: readonly string[],
  paths: Readonly<Record<string, string>>,
): { readonly byField: Readonly<Record<string, string>>; readonly others: readonly string[] } {
  const byField: Record<string, string> = {};
  const others: string[] = [];
  for (const problem of problems) {
    const found = Object.entries(paths).find(([path]) => problem.startsWith(`${path} `));
    if (found === undefined) others.push(problem);
    else byField[found[1]] = sentence(problem.slice(found[0].length + 1));
  }
  return { byField, others };
}

/** `must be …` → `Must be ….` */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
