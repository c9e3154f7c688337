/** AWS connections on the wire: Infisical's fields, and keyferry's own beside them. */
import {
  accessKeyIdShape,
  descriptionShape,
  nameShape,
  regionShape,
  roleArnShape,
  secretAccessKeyShape,
} from '../../client/input.ts';
import type { ConnectionStatus } from '../../db/status/queries.ts';
import type { Fingerprinter } from '../../domain/fingerprint.ts';
import { unionBy } from '../../domain/union-by.ts';
import { projectShape, sentId, toProject } from './infisical.ts';
import { moment, toMoment, z } from './operation.ts';
import { allInOperations, inOperations } from './wording.ts';
import type { Connection } from '../../client/types/connection.ts';

/**
 * Fields of Infisical’s that have one meaning here: sending that meaning is fine, anything else is
 * refused.
 */
const fixed = {
  App: z.literal('aws').optional().describe('Sent by Infisical’s Terraform provider; the path says the same'),
  isPlatformManagedCredentials: z.literal(false).optional(),
  gatewayId: z.null().optional(),
  isAutoRotationEnabled: z.literal(false).optional(),
};

const narrowAccessKey = z
  .boolean()
  .optional()
  .describe('Syncs use the access key only through sessions of sts:GetFederationToken that are narrowed to their path');

const described = {
  description: descriptionShape.optional(),
  projectId: z.string().max(128).nullable().optional(),
  region: regionShape.nullable().optional().describe('Where checks are made; default: the destination’s own'),
};

const roleCredentials = z.strictObject({ roleArn: roleArnShape.describe('arn:aws:iam::111122223333:role/name') });
const keyCredentials = z.strictObject({ accessKeyId: accessKeyIdShape, secretAccessKey: secretAccessKeyShape });

export const createConnectionBody = unionBy('method', [
  z.strictObject({
    name: nameShape,
    ...described,
    ...fixed,
    method: z.literal('assume-role'),
    credentials: roleCredentials,
  }),
  z.strictObject({
    name: nameShape,
    ...described,
    ...fixed,
    method: z.literal('access-key'),
    credentials: keyCredentials,
    narrowAccessKey,
  }),
]).openapi('CreateAwsConnection', {
  example: {
    name: 'prod-aws',
    method: 'assume-role',
    credentials: { roleArn: 'arn:aws:iam::111122223333:role/keyferry' },
  },
});

export const updateConnectionBody = z
  .strictObject({
    name: nameShape.optional(),
    description: descriptionShape.optional(),
    region: regionShape.nullable().optional(),
    method: z.enum(['assume-role', 'access-key']).optional(),
    credentials: z.union([roleCredentials, keyCredentials]).optional(),
    narrowAccessKey,
    projectId: described.projectId.describe('Cannot be changed: only the present project is accepted'),
    ID: sentId,
    ...fixed,
  })
  .openapi('UpdateAwsConnection');

/** The client’s form of credentials: with the method that their fields imply. */
export function toCredentials(credentials: z.infer<typeof roleCredentials> | z.infer<typeof keyCredentials>) {
  return 'roleArn' in credentials
    ? { method: 'assume-role' as const, ...credentials }
    : { method: 'access-key' as const, ...credentials };
}

const check = z.object({
  name: z.string(),
  subject: z.string().optional(),
  verdict: z.enum(['pass', 'warn', 'fail', 'unknown']),
  code: z.string().optional(),
  detail: z.string(),
  fix: z.object({ advice: z.string(), policy: z.unknown().optional() }).optional(),
});

const candidate = z.object({
  method: z.enum(['assume-role', 'access-key']),
  roleArn: z.string().optional(),
  accessKeyId: z.string().optional(),
  offeredBy: z.string().nullable(),
  offeredAt: z.iso.datetime(),
  refusal: z.object({ code: z.string(), message: z.string(), at: z.iso.datetime() }).optional(),
});

const externalIdException = z.object({
  reason: z.string(),
  allowedBy: z.string().nullable(),
  allowedAt: z.iso.datetime(),
});

export const appConnectionShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    projectId: z.string().nullable(),
    orgId: z.string(),
    version: z.number().int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
    app: z.literal('aws'),
    method: z.enum(['assume-role', 'access-key']),
    credentials: z.object({ accessKeyId: z.string().optional() }).describe('`{}` for assume-role'),
    isPlatformManagedCredentials: z.literal(false),
    gatewayId: z.null(),
    credentialsHash: z.string().describe('Changes with the credentials and says nothing about them'),
    project: projectShape.nullable(),
    roleArn: z.string().nullable(),
    narrowAccessKey: z.boolean(),
    region: z.string().nullable(),
    status: z.enum(['pending', 'valid', 'degraded', 'invalid']),
    statusCode: z.string().nullable(),
    statusMessage: z.string().nullable(),
    accountId: z.string().nullable(),
    principalArn: z.string().nullable(),
    checks: z.array(check),
    candidate: candidate.nullable().describe('New credentials that wait for a validation, or why it refused them'),
    externalIdException: externalIdException.nullable().describe('Why an operator accepts a role without external ID'),
    lastValidatedAt: moment,
    nextValidationAt: moment,
  })
  .openapi('AwsConnection');

/** Keyed by the org, and not derived from a secret: nobody can guess credentials from it. */
function credentialsHash(row: Connection | ConnectionStatus, fingerprint: Fingerprinter): string {
  const { id, method, roleArn, accessKeyId, credentialsRevision } = row;
  return fingerprint(Buffer.from(JSON.stringify([id, method, roleArn ?? accessKeyId, credentialsRevision])));
}

export function toAppConnection(
  row: Connection | ConnectionStatus,
  fingerprint: Fingerprinter,
): z.infer<typeof appConnectionShape> {
  const of = { kind: 'connection', id: row.id } as const;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    projectId: row.projectId,
    orgId: row.orgId,
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    app: 'aws',
    method: row.method,
    credentials: row.accessKeyId === null ? {} : { accessKeyId: row.accessKeyId },
    isPlatformManagedCredentials: false,
    gatewayId: null,
    credentialsHash: credentialsHash(row, fingerprint),
    project: row.projectId === null ? null : toProject(row.projectId),
    roleArn: row.roleArn,
    narrowAccessKey: row.narrowAccessKey,
    region: row.region,
    status: row.status,
    statusCode: row.statusCode,
    statusMessage: row.statusMessage && inOperations(row.statusMessage, of),
    accountId: row.accountId,
    principalArn: row.principalArn,
    checks: row.checks.map((one) => ({ ...allInOperations(one, of) })),
    candidate: row.candidate && allInOperations(candidate.parse(row.candidate), of),
    externalIdException: row.externalIdException && externalIdException.parse(row.externalIdException),
    lastValidatedAt: toMoment(row.lastValidatedAt),
    nextValidationAt: toMoment(row.nextValidationAt),
  };
}
