/** Rotations and the keys of IAM users. */
import { type ErrorEntry, entry } from './entry.ts';

export const rotationErrors = {
  KEY_ROTATION_NOT_FOUND: entry(
    'fail',
    'There is no such rotation.',
    'No rotation of this org has this name or id.',
    'List them with `keyferry rotation list`.',
  ),
  KEY_ROTATION_NAME_TAKEN: entry(
    'fail',
    'A rotation with this name already exists.',
    'Names are unique within a project.',
    'Choose another name, or update the existing rotation.',
  ),
  KEY_ROTATION_PAUSED: entry(
    'fail',
    'The rotation is paused.',
    'It does not run until it is resumed. Its keys stay as they are.',
    'Resume it with `keyferry rotation resume`.',
  ),
  KEY_ROTATION_BUSY: entry(
    'fail',
    'The phase of the rotation does not allow this.',
    'Each command is valid in some phases only: cancel before the publication, reactivate during the hold.',
    'Read `keyferry rotation show`, and do what the message names.',
  ),
  KEY_ROTATION_CANCELLED: entry(
    'fail',
    'The rotation was cancelled.',
    'A person cancelled it before its new key was published; the new key was deleted and the old one stays.',
    'Start another rotation with `keyferry rotation run`.',
  ),
  KEY_USER_TAKEN: entry(
    'fail',
    'Another rotation manages this IAM user.',
    'Two rotations of one user would delete each other’s keys.',
    'Delete the other rotation first.',
  ),
  KEY_USER_CHANGED: entry(
    'fail',
    'The IAM user was re-created.',
    'Its immutable id differs from the one pinned at the first rotation.',
    'If the new user is intended, delete the rotation and create it again.',
  ),
  KEY_FOREIGN: entry(
    'fail',
    'The IAM user has keys that this rotation did not create.',
    'keyferry never deletes a key that it did not create or adopt, and AWS allows two keys per user.',
    'Update the rotation with `adoptKey: ID`, or remove the key at AWS.',
  ),
  KEY_RESTORED: entry(
    'fail',
    'keyferry cannot tell which key consumers use: the database was restored or failed over.',
    'AWS lists a key that the database does not know, lacks its newest one, or shows a use of a key that was never published. No key changes.',
    'Update the rotation with `adoptKey: ID` of the key in use, or delete unused keys at AWS.',
  ),
  KEY_AMBIGUOUS: entry(
    'fail',
    'keyferry cannot tell which of the unknown keys it created.',
    'The answer of a CreateAccessKey call was lost, and several keys match it or the matching key was used.',
    'Delete the key that nobody uses at AWS, then `keyferry rotation run`.',
  ),
  KEY_VERIFY_TIMEOUT: entry(
    'fail',
    'AWS did not accept the new key in time.',
    'Verification reached its time limit. The new key was deleted and the old key stays.',
    'Run the rotation again later. If this repeats, check the IAM user.',
  ),
  KEY_DEPENDENTS_WAITING: entry(
    'fail',
    'Dependent syncs have not written the new key.',
    'Both keys stay active until every dependent sync has written the new one.',
    'Run, fix or delete the syncs that the message names, or run the rotation with `skipSync: SYNC`.',
  ),
} as const satisfies Record<string, ErrorEntry>;
