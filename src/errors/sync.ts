/** Syncs and their entries. */
import { type ErrorEntry, entry } from './entry.ts';

export const syncErrors = {
  SYNC_NOT_FOUND: entry(
    'fail',
    'There is no such sync.',
    'No sync of this org has this name or id.',
    'List them with `keyferry sync list`.',
  ),
  SYNC_NAME_TAKEN: entry(
    'fail',
    'A sync with this name already exists.',
    'Names are unique within a project.',
    'Choose another name, or update the existing sync.',
  ),
  SYNC_TARGET_TAKEN: entry(
    'fail',
    'Another sync of this org writes to the same target.',
    'Two syncs would overwrite each other.',
    'Choose another prefix, secret name or region, or delete the other sync.',
  ),
  SYNC_ENTRY_INVALID: entry(
    'fail',
    'A secret breaks a rule of the destination.',
    'AWS does not allow the name, size, tier or tags of an entry. The other entries were synced.',
    'Correct the entries listed in `keyferry sync show`.',
  ),
  SYNC_CONFLICT: entry(
    'fail',
    'An object with this name exists and is not managed by this sync.',
    'keyferry does not change objects that it did not write.',
    'Remove or rename the object, or let the sync take it over with `onExisting: adopt`.',
  ),
  SYNC_DELETIONS_UNCONFIRMED: entry(
    'fail',
    'The plan deletes more than the brake allows.',
    'The source is empty, or the plan deletes far more entries than usual.',
    'Check `keyferry sync plan`, then run the sync with `confirmDeletions: N`.',
  ),
  SYNC_CANCELLED: entry(
    'fail',
    'A person cancelled it. What was written until then stays at AWS.',
    'The run stopped before its next write. An automatic sync is paused, so that it does not begin again by itself.',
    'Start an automatic sync again with `keyferry sync resume NAME`, or run it once with `keyferry sync run NAME`.',
  ),
  SYNC_NOTHING_TO_CANCEL: entry(
    'fail',
    'Nothing of the sync is running or waiting.',
    'A sync is cancelled only while a run or a request of it is open.',
    'To stop automatic runs, use `keyferry sync pause NAME`.',
  ),
  SYNC_PARTIAL: entry(
    'fail',
    'Some entries were not synced.',
    'One or more entries failed or are in conflict. All others were synced.',
    'List the entries with `keyferry sync show`.',
  ),
  SYNC_DRIFTED: entry(
    'fail',
    'Objects at AWS were changed outside keyferry.',
    'The drift check found changed or missing objects, and the sync only reports drift.',
    'Repair them with `keyferry sync run`, or set `drift: repair`.',
  ),
  SYNC_LEFT_BEHIND: entry(
    'fail',
    'Objects that the sync wrote remain at AWS.',
    'The connection that wrote them can no longer be used, so they could not be deleted.',
    'Delete the objects that the run lists at AWS, then delete the sync and abandon them.',
  ),
  SYNC_STILL_OWNED: entry(
    'fail',
    'The sync still owns objects at AWS.',
    'A sync is deleted only when nothing that it wrote remains at AWS, or with `abandon: true`.',
    'Delete the sync with `removeSecrets: true`, or leave them at AWS with `abandon: true`.',
  ),
} as const satisfies Record<string, ErrorEntry>;
