/**
 * A union of objects whose shape one field decides. The validator stops where that field holds none
 * of its values; this one then reports what is wrong with the other fields, too. Pure.
 */
import { z } from 'zod';

type Shape = z.core.$ZodTypeDiscriminable & z.ZodType;

export function unionBy<const Field extends string, const Shapes extends readonly [Shape, ...Shape[]]>(
  field: Field,
  shapes: Shapes,
) {
  return z.discriminatedUnion(field, shapes).superRefine(
    (value, { issues }) => {
      for (const { message, path, ...issue } of problemsBeside(field, { shapes, value }))
        issues.push({ ...issue, message, path: [...path], input: value } as z.core.$ZodRawIssue);
    },
    { when: ({ issues }) => issues.some(({ code, path }) => code === 'invalid_union' && path?.join('.') === field) },
  );
}

interface Given {
  readonly shapes: readonly z.ZodType[];
  readonly value: unknown;
}

/** Of the shape that knows the most of the fields; of several such, what all of them refuse. */
function problemsBeside(field: string, { shapes, value }: Given): readonly z.core.$ZodIssue[] {
  const refusals = shapes.map((shape) =>
    (shape.safeParse(value).error?.issues ?? []).filter(({ path }) => path.join('.') !== field),
  );
  const fewest = Math.min(...refusals.map(countUnknown));
  const [first = [], ...others] = refusals.filter((one) => countUnknown(one) === fewest);
  const isIn = (issues: readonly z.core.$ZodIssue[], wanted: z.core.$ZodIssue) =>
    issues.some(({ path, message }) => message === wanted.message && path.join('.') === wanted.path.join('.'));
  return first.filter((issue) => others.every((issues) => isIn(issues, issue)));
}

function countUnknown(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((count, issue) => count + (issue.code === 'unrecognized_keys' ? issue.keys.length : 0), 0);
}
