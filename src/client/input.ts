/**
 * Input of the library, the CLI and the API, checked at the edge: an error names the field and what
 * is allowed.
 */
import { z } from 'zod';

import { problemsOf } from '../domain/problem-words.ts';
import { unionBy } from '../domain/union-by.ts';
import { JobError } from '../errors.ts';

export { nameShape } from '../domain/name.ts';
export { secretKeyShape, secretValueShape } from '../domain/secret-shapes.ts';

export const descriptionShape = z.string().max(256).nullable();

export { regionShape } from '../domain/region-shape.ts';

export const roleArnShape = z
  .string()
  .regex(
    /^arn:aws(-[a-z]+)*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
    'must be the ARN of a role such as arn:aws:iam::111122223333:role/name',
  );

export const accessKeyIdShape = z
  .string()
  .refine((id) => !id.startsWith('ASIA'), {
    error: 'is a temporary key (ASIA…): it stops working within hours; use a key of an IAM user (AKIA…), or a role',
    abort: true,
  })
  .refine((id) => /^AKIA[A-Z0-9]{12,124}$/.test(id), 'must be the id of an IAM user’s access key (AKIA…)');

export const secretAccessKeyShape = z
  .string()
  .regex(/^\S{16,128}$/, 'must be the secret access key: 16 to 128 characters without spaces');

export const credentialsShape = unionBy('method', [
  z.strictObject({
    method: z.literal('assume-role'),
    roleArn: roleArnShape,
    /** Operators only; the default is the org's id. */
    externalId: z
      .string()
      .regex(/^[\w+=,.@:/-]{2,1224}$/, 'must be 2 to 1,224 letters, digits or + = , . @ : / -')
      .optional(),
  }),
  z.strictObject({
    method: z.literal('access-key'),
    accessKeyId: accessKeyIdShape,
    secretAccessKey: secretAccessKeyShape,
  }),
]);

const secretPathShape = z
  .string()
  .max(512)
  .regex(/^\/([\w.-]+(\/[\w.-]+)*\/?)?$/, 'must start with / and hold letters, digits and . _ - between slashes')
  .transform((path) => (path.length > 1 ? path.replace(/\/$/, '') : path));

const labelShape = z.string().regex(/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits or . _ -');

export const placeShape = z.strictObject({
  projectId: labelShape,
  environment: labelShape,
  secretPath: secretPathShape,
});

/** Throws PAYLOAD_INVALID naming the fields that are wrong; never a value. */
export function parseInput<T extends z.ZodType>(shape: T, input: unknown): z.output<T> {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw refusal(problemsOf(parsed.error, { whole: 'input' }));
}

/** What `parseInput` refuses. */
export function problemsIn(shape: z.ZodType, input: unknown): readonly string[] {
  const { error } = shape.safeParse(input);
  return error === undefined ? [] : problemsOf(error, { whole: 'input' });
}

/** Throws PAYLOAD_INVALID with all that is wrong, unless nothing is. */
export function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw refusal(problems);
}

function refusal(problems: readonly string[]): JobError {
  const text = problems.join('; ');
  return new JobError('PAYLOAD_INVALID', { message: /[.?]$/.test(text) ? text : `${text}.`, context: { problems } });
}
