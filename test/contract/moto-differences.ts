/** Where moto differs from AWS's documentation. A case that starts or stops to differ fails the run: the table stays true. */
export interface KnownDifference {
  /** What moto does instead. */
  readonly moto: string;
  /** The documentation's word. */
  readonly documented: string;
}

export const MOTO_DIFFERENCES: Readonly<Record<string, KnownDifference>> = {};
