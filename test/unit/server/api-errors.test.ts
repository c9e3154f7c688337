import { expect, test } from 'vitest';

import { JobError } from '../../../src/errors.ts';
import { toApiError } from '../../../src/server/api/errors.ts';

test.each([
  ['bare', new JobError('SECRET_FOLDER_NOT_FOUND')],
  [
    'with the name',
    new JobError('SECRET_FOLDER_NOT_FOUND', { message: 'No /a. Create it with `keyferry secrets set`.' }),
  ],
])('the API names its own operation for a folder that is missing, %s', (_, error) => {
  expect(toApiError(error).message).toMatch(/Create it with `PUT \/api\/v1\/folders\/secrets`\.$/);
});
