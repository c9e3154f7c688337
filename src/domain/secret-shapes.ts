/** What keys and values of a folder may be, whoever writes them. Pure. */
import { z } from 'zod';

import { MAX_VALUE_LENGTH, SECRET_KEY_PATTERN } from './secret-input.ts';

export const secretKeyShape = z.string().regex(SECRET_KEY_PATTERN, 'must be 1 to 256 letters, digits or . _ / -');

export const secretValueShape = z.string().max(MAX_VALUE_LENGTH);
