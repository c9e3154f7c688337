/** One measured number of a benchmark. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the project promises, in words. */
  readonly goal: string;
}
