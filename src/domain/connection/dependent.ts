/** What uses a connection, which can therefore not be deleted. Pure data. */
export interface Dependent {
  readonly kind: 'sync' | 'rotation';
  readonly id: string;
  readonly name: string;
}
