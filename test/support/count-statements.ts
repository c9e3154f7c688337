/** Counts what stores send to PostgreSQL: each call of their client is one statement. */
import type { DatabaseHandle } from '../../src/db/client.ts';

export interface CountedStatements {
  readonly db: DatabaseHandle['db'];
  /** Since the count began. */
  statements(): number;
}

export function countStatements({ db }: Pick<DatabaseHandle, 'db'>): CountedStatements {
  let count = 0;
  const counted = <T extends object>(client: T): T =>
    new Proxy(client, {
      get(target, name) {
        const found: unknown = Reflect.get(target, name, target);
        if (typeof found !== 'function') return found;
        // Statements that are rendered once go to the driver itself.
        if (name === '$client') return counted(found);
        return (...input: unknown[]): unknown => {
          count += 1;
          return Reflect.apply(found, target, input);
        };
      },
    });
  return { db: counted(db), statements: () => count };
}
