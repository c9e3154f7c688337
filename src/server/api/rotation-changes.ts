/** What a PATCH of a rotation changes: its settings, or the key that it takes over. */
import type { Context } from 'hono';

import { defined } from '../../domain/defined.ts';
import { JobError } from '../../errors.ts';
import type { z } from './operation.ts';
import type { updateRotationBody } from './rotation-shapes.ts';
import { ifMatch } from './versions.ts';

type Body = z.infer<typeof updateRotationBody>;

export async function changeRotation(c: Context, id: string, body: Body): Promise<void> {
  const { rotations } = c.get('client');
  const version = ifMatch(c);
  const changes = toChanges(body);
  if (body.adoptKey === undefined) {
    await rotations.update(id, changes, version);
    return;
  }
  // A change makes the rotation due, and a running rotation adopts nothing.
  if (Object.keys(changes).length > 0) throw new JobError('PAYLOAD_INVALID', { message: ADOPT_ALONE });
  await rotations.update(id, {}, version);
  await rotations.adoptKey(id, body.adoptKey);
}

const ADOPT_ALONE = 'adoptKey must be sent alone. Send the other changes in a request after it.';

function toChanges(body: Body) {
  const { name, description, isAutoRotationEnabled, rotateAtUtc, graceSeconds, quietSeconds, holdSeconds, onExisting } =
    body;
  return defined({
    ...{ name, description, isAutoRotationEnabled, rotateAtUtc, graceSeconds, quietSeconds, holdSeconds, onExisting },
    rotationIntervalDays: body.rotationInterval,
    connection: body.connectionId,
    region: body.parameters?.region,
  });
}
