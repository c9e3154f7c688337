/** Headers of every answer, and the content policies of the two kinds of page. */
import type { MiddlewareHandler } from 'hono';

/** Nothing at all: for JSON and text. */
const CLOSED_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** Bull Board: its own scripts; styles inline, since its components set them. */
export const BOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** The status page: one inlined style and one inlined script, both by hash. */
export function statusPolicy(hashes: { readonly style: string; readonly script: string }): string {
  return [
    "default-src 'none'",
    `style-src '${hashes.style}'`,
    `script-src '${hashes.script}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const fixed: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Cache-Control': 'no-store',
};

/** Set before the answer is made, so that none is built twice. */
export function secureHeaders(): MiddlewareHandler {
  const headers = Object.entries({ ...fixed, 'Content-Security-Policy': CLOSED_POLICY });
  return (c, next) => {
    for (const [name, value] of headers) c.header(name, value);
    return next();
  };
}
