/**
 * A `timestamptz` column. Its text is read strictly: with another DateStyle the same digits name
 * another day, and JavaScript would read them without a complaint. The session's style is set when
 * it connects (`client.ts`); whatever still differs fails here.
 */
import { customType } from 'drizzle-orm/pg-core';

export const moment = customType<{ data: Date; driverData: string }>({
  dataType: () => 'timestamp with time zone',
  toDriver: (at) => at.toISOString(),
  fromDriver: parseMoment,
});

/** ISO 8601 as PostgreSQL writes it, or as in its JSON. */
const written = /^\d{4,6}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d(:\d\d(:\d\d)?)?|Z)$/;

/** Throws when the text is no moment. */
export function parseMoment(text: unknown): Date {
  const at = typeof text === 'string' && written.test(text) ? new Date(text) : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw new TypeError('PostgreSQL wrote a timestamp in a form that keyferry does not read.');
  return at;
}
