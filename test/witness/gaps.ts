/** What keyferry itself does not hold yet, as far as the stories meet it. A gap fails no run; one that no check meets any more is printed. */
export const GAPS: Readonly<Record<string, string>> = {
  'calls of killed runs': 'a run that was killed keeps none of its calls',
  'calls of folded runs': 'when a quiet run replaces an earlier one like it, the calls of the earlier one are gone',
  'calls of a candidate check': 'the check of new credentials, made by the command itself, belongs to no run',
};
