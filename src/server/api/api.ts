/**
 * The HTTP API: thin over the library’s client, with Infisical’s paths and fields. The org always
 * comes from the token; what a caller may not see does not exist for it. OpenAPI document at
 * `/api/openapi.json`.
 */
import { OpenAPIHono } from '@hono/zod-openapi';

import { createAccessTokenCheck } from '../guard/access-tokens.ts';
import { createJwtCheck } from '../guard/jwt-check.ts';
import { problem } from '../problem.ts';
import { addConnections } from './connections.ts';
import { completeDocument, type OpenApiDocument } from './document.ts';
import type { Api, ApiOptions } from './env.ts';
import { describeIssues, toApiError } from './errors.ts';
import { authenticate, boundedBody, boundedItems, keptNames, limited, onlyJson, wholeText } from './gate.ts';
import { addFolders } from './folders.ts';
import { addHistory } from './history.ts';
import { addLogin } from './login.ts';
import { addNotify } from './notify.ts';
import { addOutside } from './outside.ts';
import { addDocumentPages, DOCUMENT_PATH } from './page.ts';
import { addOverviews } from './overviews.ts';
import { addRotations } from './rotations.ts';
import { addRuns } from './runs.ts';
import { addSources } from './sources.ts';
import { addSyncs } from './syncs.ts';
import { addWebhooks } from './webhooks.ts';

export function createApi(options: ApiOptions): Api {
  const api: Api = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const message = describeIssues(result.error);
      return problem(c, 422, { code: 'PAYLOAD_INVALID', message });
    },
  });
  addDocument(api, options);
  const accessTokens = createAccessTokenCheck(options.identities, options.now);
  const jwts = createJwtCheck(options.jwtLogins, options);
  addLogin(api, options, { accessTokens, jwts });
  addNotify(api, options);
  const limit = limited(options);
  for (const version of ['/api/v1/*', '/api/v2/*', '/api/v3/*', '/api/v4/*'])
    api.use(
      version,
      authenticate(options, { accessTokens, jwts }),
      limit,
      onlyJson,
      boundedBody,
      wholeText,
      boundedItems,
      keptNames,
    );
  // Before the routes with an id in the same place.
  addOverviews(api, options);
  addConnections(api, options);
  addFolders(api, options);
  addSources(api, options);
  addSyncs(api, options);
  addRotations(api, options);
  addRuns(api, options);
  addWebhooks(api, options);
  addHistory(api, options);
  addOutside(api);
  api.onError((error, c) => {
    if (error instanceof SyntaxError || isMalformedJson(error))
      return problem(c, 422, { code: 'PAYLOAD_INVALID', message: 'The body is not valid JSON.' });
    const { statusCode, code, message } = toApiError(error, c.req.path);
    if (statusCode >= 500)
      options.log.error({ err: error, requestId: c.get('requestId'), path: c.req.path }, 'API request failed');
    if (statusCode === 503) c.header('Retry-After', '2');
    return problem(c, statusCode, { code, message });
  });
  return api;
}

/** What hono throws when the body cannot be parsed. */
function isMalformedJson(error: Error): boolean {
  return 'status' in error && error.status === 400;
}

function addDocument(api: Api, { version, now }: ApiOptions): void {
  api.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description:
      'The access token of a login, or a token of KEYFERRY_API_TOKENS; its org is the only one that the request sees.',
  });
  let document: OpenApiDocument | undefined;
  const read = () =>
    (document ??= completeDocument(
      api.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'keyferry',
          version,
          description:
            'Keeps AWS connections valid, AWS secrets equal to their source, and IAM access keys rotated. Scopes: read looks, write changes and runs, admin also takes away at AWS.',
        },
      }) as unknown as OpenApiDocument,
    ));
  api.get(DOCUMENT_PATH, (c) => c.json(read()));
  addDocumentPages(api, now, read);
}
