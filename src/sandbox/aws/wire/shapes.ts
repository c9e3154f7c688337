/** Shapes of the service model, as the constraint table keeps them. */
export interface Shape {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly sensitive?: boolean;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly member?: string;
  /** Of a map: the shapes of its names and values. */
  readonly key?: string;
  readonly value?: string;
}

export type Shapes = Readonly<Record<string, Shape>>;
