/** All stories, in the order in which they are told. */
import { CONNECTION_STORIES } from './stories/connections.ts';
import { DIFFERENCE_STORIES } from './stories/differences.ts';
import { DOCUMENT_STORIES } from './stories/documents.ts';
import { KILL_STORIES } from './stories/kills.ts';
import { PARAMETER_DRIFT_STORIES } from './stories/parameter-drift.ts';
import { PARAMETER_OWNERSHIP_STORIES } from './stories/parameter-ownership.ts';
import { PARAMETER_STORIES } from './stories/parameters.ts';
import { ROTATION_STORIES } from './stories/rotations.ts';
import { SECRET_STORIES } from './stories/secrets.ts';
import type { Story } from './story.ts';

export const STORIES: readonly Story[] = [
  ...DIFFERENCE_STORIES,
  ...CONNECTION_STORIES,
  ...PARAMETER_STORIES,
  ...PARAMETER_DRIFT_STORIES,
  ...PARAMETER_OWNERSHIP_STORIES,
  ...SECRET_STORIES,
  ...DOCUMENT_STORIES,
  ...ROTATION_STORIES,
  ...KILL_STORIES,
];
