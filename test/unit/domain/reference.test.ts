import { describe, expect, it } from 'vitest';

import { pickReferred } from '../../../src/domain/reference.ts';
import { nameShape, parseInput } from '../../../src/client/input.ts';
import { rotationChanges } from '../../../src/domain/rotation/input.ts';

const ID = '0a1b2c3d-0000-4000-8000-00000000000f';
const row = (id: string, name: string, projectId: string | null = null) => ({ id, name, projectId });
const other = '11111111-0000-4000-8000-000000000001';

describe('a reference', () => {
  it('means the object with that id before one with that name', () => {
    const matches = [row(other, ID), row(ID, 'prod')];
    expect(pickReferred({ idOrName: ID }, matches)).toBe(matches[1]);
    expect(pickReferred({ idOrName: ID.toUpperCase() }, [...matches].reverse())).toBe(matches[1]);
    expect(pickReferred({ idOrName: ID }, [row(other, ID)])?.id).toBe(other);
    expect(pickReferred({ idOrName: 'nobody' }, matches.slice(2))).toBeUndefined();
  });

  it('that several objects are named by is refused with the candidates', () => {
    const matches = [row(ID, 'prod', 'shop'), row(other, 'prod')];
    expect(() => {
      pickReferred({ idOrName: 'prod' }, matches);
    }).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_INVALID',
        message: expect.stringContaining(`shop/prod (${ID})`) as string,
      }),
    );
  });

  it('of the form of an id is no name', () => {
    expect(() => {
      parseInput(nameShape, ID.toUpperCase());
    }).toThrow('must not have the form of an id');
    expect(() => {
      parseInput(rotationChanges, { name: ID });
    }).toThrow('must not have the form of an id');
    expect(parseInput(nameShape, ID.slice(1))).toBe(ID.slice(1));
  });
});
