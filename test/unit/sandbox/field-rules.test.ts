/** Every official minimum, maximum, pattern and enumeration, probed on both sides of its edge. */
import { expect, test } from 'vitest';
import { findFieldProblems } from '../../../src/sandbox/aws/wire/field-rules.ts';
import { SERVICE_MODELS, type OperationModel } from '../../../src/sandbox/aws/wire/service-model.ts';
import type { Shape, Shapes } from '../../../src/sandbox/aws/wire/shapes.ts';

interface Probe {
  readonly member: string;
  readonly value: unknown;
  /** Part of the text that must, or (when it is fine) must not, be said about the member. */
  readonly complaint: string;
  readonly isWrong: boolean;
}

const operations = [...SERVICE_MODELS.values()].flatMap((service) => [...service.operations.values()]);

test.each(operations.map((model) => [`${model.service.name}.${model.name}`, model] as const))(
  '%s holds its field rules',
  (_, model) => {
    for (const probe of probesOf(model)) {
      const problems = findFieldProblems(model.check, { [probe.member]: probe.value }) ?? '';
      const path = probe.member.charAt(0).toLowerCase() + probe.member.slice(1);
      const own = problems
        .split('; ')
        .filter((text) => text.includes(`at '${path}'`) && text.includes(probe.complaint));
      expect(own.length > 0, `${probe.member}: ${probe.complaint}, ${JSON.stringify(probe.value).slice(0, 40)}`).toBe(
        probe.isWrong,
      );
    }
  },
);

test('the table holds the rules that AWS documents', () => {
  expect(operations).toHaveLength(48);
  const probes = operations.flatMap(probesOf);
  expect(probes.filter((probe) => probe.isWrong).length).toBeGreaterThan(200);
});

test('a missing required member is named', () => {
  const model = SERVICE_MODELS.get('sts')!.operations.get('AssumeRole')!;
  expect(findFieldProblems(model.check, { RoleArn: 'arn:aws:iam::111122223333:role/x' })).toBe(
    "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
  );
});

test('values of sensitive members are not repeated', () => {
  const model = SERVICE_MODELS.get('secretsmanager')!.operations.get('CreateSecret')!;
  const problems = findFieldProblems(model.check, { Name: 'a', SecretString: 'canary'.repeat(20_000) });
  expect(problems).toContain("Value at 'secretString'");
  expect(problems).not.toContain('canary');
});

function probesOf(model: OperationModel): Probe[] {
  const { shapes } = model.service;
  const input = model.inputShape === undefined ? undefined : shapes[model.inputShape];
  return Object.entries(input?.members ?? {}).flatMap(([member, { shape }]) =>
    probesOfShape(shapes, shapes[shape]!).map((probe) => ({ member, ...probe })),
  );
}

function probesOfShape(shapes: Shapes, shape: Shape): Omit<Probe, 'member'>[] {
  const probes: Omit<Probe, 'member'>[] = [];
  const isNumber = shape.type === 'integer' || shape.type === 'long';
  const what = isNumber ? 'Member must have value' : 'Member must have length';
  const edge = (bound: number, step: number, complaint: string): void => {
    for (const [size, isWrong] of [
      [bound + step, true],
      [bound, false],
    ] as const) {
      if (size >= 0 || isNumber) probes.push({ value: valueOf(shapes, shape, size), complaint, isWrong });
    }
  };
  if (shape.min !== undefined) edge(shape.min, -1, `${what} greater than or equal to ${String(shape.min)}`);
  if (shape.max !== undefined) edge(shape.max, 1, `${what} less than or equal to ${String(shape.max)}`);
  if (shape.pattern !== undefined && shape.type === 'string') {
    probes.push({ value: '\u0000', complaint: 'Member must satisfy regular expression', isWrong: true });
  }
  if (shape.enum) {
    probes.push({ value: 'never-a-value', complaint: 'Member must satisfy enum value set', isWrong: true });
    for (const value of shape.enum)
      probes.push({ value, complaint: 'Member must satisfy enum value set', isWrong: false });
  }
  return probes;
}

function valueOf(shapes: Shapes, shape: Shape, size: number): unknown {
  if (shape.type === 'string') return 'x'.repeat(size);
  if (shape.type === 'blob') return Buffer.alloc(size).toString('base64');
  if (shape.type !== 'list') return size;
  const member = shapes[shape.member!]!;
  return Array.from({ length: size }, () => (member.type === 'structure' ? {} : 'x'));
}
