/**
 * Checks a request against the service model and words what is wrong as AWS's generated front ends
 * do: "1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must
 * have length greater than or equal to 1". Values of the wrong JSON type are a
 * SerializationException instead.
 */
import { AwsError } from '../aws-error.ts';
import type { Shape, Shapes } from './shapes.ts';

/** Appends one text per broken rule; throws AwsError on a value of the wrong type. */
export type FieldCheck = (value: unknown, path: string, problems: string[]) => void;

export function compileStructure(shapes: Shapes, name: string | undefined): FieldCheck {
  return name === undefined ? () => undefined : compileShape(shapes, name);
}

/** The text of a ValidationException, or undefined when all rules hold. */
export function findFieldProblems(check: FieldCheck, input: unknown): string | undefined {
  const problems: string[] = [];
  check(input, '', problems);
  if (problems.length === 0) return undefined;
  return `${String(problems.length)} validation error${problems.length === 1 ? '' : 's'} detected: ${problems.join('; ')}`;
}

function compileShape(shapes: Shapes, name: string): FieldCheck {
  const shape = shapes[name];
  if (!shape) throw new Error(`aws-constraints.json has no shape ${name}`);
  switch (shape.type) {
    case 'structure':
      return compileMembers(shapes, shape);
    case 'list':
      return compileList(shapes, shape);
    case 'map':
      return compileMap(shapes, shape);
    case 'string':
      return compileString(shape);
    case 'integer':
    case 'long':
      return compileNumber(shape);
    case 'boolean':
      return typed('boolean', 'Boolean');
    case 'blob':
      return compileBlob(shape);
    default:
      throw new Error(`No rules for shapes of type ${shape.type}`);
  }
}

function compileMembers(shapes: Shapes, shape: Shape): FieldCheck {
  const required = new Set(shape.required);
  const members = Object.entries(shape.members ?? {}).map(([name, member]) => ({
    name,
    pathName: name.charAt(0).toLowerCase() + name.slice(1),
    isRequired: required.has(name),
    check: compileShape(shapes, member.shape),
  }));
  return (value, path, problems) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(value, 'structure');
    const record = value as Record<string, unknown>;
    for (const member of members) {
      const at = path === '' ? member.pathName : `${path}.${member.pathName}`;
      const field = record[member.name];
      if (field !== undefined && field !== null) member.check(field, at, problems);
      else if (member.isRequired)
        problems.push(`Value null at '${at}' failed to satisfy constraint: Member must not be null`);
    }
  };
}

function compileList(shapes: Shapes, shape: Shape): FieldCheck {
  const checkMember = compileShape(shapes, shape.member ?? '');
  return (value, path, problems) => {
    if (!Array.isArray(value)) throw wrongType(value, 'list');
    const list = value as unknown[];
    const shown = (): string => `Value '[${list.map(showListed).join(', ')}]' at '${path}'`;
    checkLength(shape, { length: list.length, shown }, problems);
    list.forEach((item, index) => {
      checkMember(item, `${path}.${String(index + 1)}.member`, problems);
    });
  };
}

function compileMap(shapes: Shapes, shape: Shape): FieldCheck {
  const checkKey = compileShape(shapes, shape.key ?? '');
  const checkValue = compileShape(shapes, shape.value ?? '');
  return (value, path, problems) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(value, 'map');
    for (const [key, one] of Object.entries(value)) {
      checkKey(key, `${path}.key`, problems);
      checkValue(one, `${path}.${key}.member`, problems);
    }
  };
}

function compileString(shape: Shape): FieldCheck {
  const pattern = shape.pattern === undefined ? undefined : compilePattern(shape.pattern);
  const allowed = shape.enum === undefined ? undefined : new Set(shape.enum);
  return (value, path, problems) => {
    if (typeof value !== 'string') throw wrongType(value, 'String');
    const shown = (): string => (shape.sensitive === true ? `Value at '${path}'` : `Value '${value}' at '${path}'`);
    checkLength(shape, { length: value.length, shown }, problems);
    if (pattern && !pattern.test(value)) {
      problems.push(
        `${shown()} failed to satisfy constraint: Member must satisfy regular expression pattern: ${shape.pattern ?? ''}`,
      );
    }
    if (allowed && !allowed.has(value)) {
      problems.push(
        `${shown()} failed to satisfy constraint: Member must satisfy enum value set: [${[...allowed].join(', ')}]`,
      );
    }
  };
}

function compileNumber(shape: Shape): FieldCheck {
  return (value, path, problems) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(value, 'Integer');
    const failed = `Value '${String(value)}' at '${path}' failed to satisfy constraint: Member must have value`;
    if (shape.min !== undefined && value < shape.min)
      problems.push(`${failed} greater than or equal to ${String(shape.min)}`);
    if (shape.max !== undefined && value > shape.max)
      problems.push(`${failed} less than or equal to ${String(shape.max)}`);
  };
}

function compileBlob(shape: Shape): FieldCheck {
  return (value, path, problems) => {
    if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
      throw wrongType(value, 'Blob');
    checkLength(shape, { length: Buffer.byteLength(value, 'base64'), shown: () => `Value at '${path}'` }, problems);
  };
}

function typed(type: 'boolean', name: string): FieldCheck {
  return (value) => {
    if (typeof value !== type) throw wrongType(value, name);
  };
}

interface Measured {
  readonly length: number;
  /** How a problem names the value. */
  readonly shown: () => string;
}

function checkLength(shape: Shape, { length, shown }: Measured, problems: string[]): void {
  const failed = 'failed to satisfy constraint: Member must have length';
  if (shape.min !== undefined && length < shape.min) {
    problems.push(`${shown()} ${failed} greater than or equal to ${String(shape.min)}`);
  }
  if (shape.max !== undefined && length > shape.max) {
    problems.push(`${shown()} ${failed} less than or equal to ${String(shape.max)}`);
  }
}

/** The model's patterns are Java's; one of them does not compile under the `u` flag. */
function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    return new RegExp(`^(?:${pattern})$`);
  }
}

function showListed(item: unknown): string {
  return typeof item === 'string' ? item : JSON.stringify(item);
}

function wrongType(value: unknown, wanted: string): AwsError {
  const given = Array.isArray(value)
    ? 'START_ARRAY'
    : typeof value === 'object'
      ? 'START_OBJECT'
      : `${typeof value}_VALUE`.toUpperCase();
  return new AwsError('SerializationException', `${given} can not be converted to a ${wanted}`);
}
