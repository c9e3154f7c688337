/** Where an endpoint is known to differ from AWS's documentation, by the id of the case. */
export interface KnownDifference {
  /** What moto does instead. */
  readonly moto: string;
  /** The documentation's word. */
  readonly documented: string;
}

export function each(difference: KnownDifference, ids: readonly string[]): Readonly<Record<string, KnownDifference>> {
  return Object.fromEntries(ids.map((id) => [id, difference]));
}
