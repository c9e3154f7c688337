/** The shape of a region's name, apart from its rule: the command line starts without zod. Pure. */
import { z } from 'zod';

import { regionProblem } from './regions.ts';

/** As a setting or field takes it. */
export const regionShape = z.string({ error: 'is required, such as eu-west-1' }).superRefine((region, context) => {
  const problem = regionProblem(region);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});
