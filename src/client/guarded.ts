/**
 * The way into the client: every argument of every method is text that can be stored, or nothing
 * begins.
 */
import { requireStorable } from '../domain/storable-text.ts';

type Methods = Readonly<Record<string, (...input: never[]) => Promise<unknown>>>;

export function guarded<T extends { readonly [K in keyof T]: Methods[string] }>(methods: T): T {
  const guard = (method: Methods[string]) =>
    async function (...input: never[]): Promise<unknown> {
      input.forEach((one) => {
        requireStorable(one);
      });
      return method.apply(methods, input);
    };
  return Object.fromEntries(
    Object.entries<Methods[string]>(methods).map(([name, method]) => [name, guard(method)]),
  ) as unknown as T;
}
