/** The one rule for names of connections, syncs and rotations. Pure. */
import { z } from 'zod';

import { isUuid, NOT_A_UUID } from './reference.ts';

export const nameShape = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/,
    'must be 1 to 256 letters, digits or . _ - and start with a letter or digit',
  )
  .refine((name) => !isUuid(name), NOT_A_UUID);
