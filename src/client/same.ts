/**
 * Compares, when it compiles, a documented type with what it stands for: a row of the database, or
 * the shape that checks an input. A column or a field that only one of them has is an error where
 * the value is made or taken.
 */
type Plain = string | number | boolean | bigint | symbol | null | undefined | Date;

/** Without write access. */
type Frozen<T> = unknown extends T
  ? T
  : T extends Plain
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Frozen<Item>[]
      : { readonly [Key in keyof T]: Frozen<T[Key]> };

/**
 * With every field that may be left out: those of two types are the same only if their names are.
 */
type Filled<T> = unknown extends T
  ? T
  : T extends Plain
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Filled<Item>[]
      : { readonly [Key in keyof T]-?: Filled<Exclude<T[Key], undefined>> };

type Takes<A, B> = [A] extends [B] ? true : false;
type IsSame<A, B> = [Takes<A, B>, Takes<B, A>] extends [true, true] ? true : false;

/**
 * `Documented`, provided that it says the same as `Actual`; else a type that fits nothing and shows
 * both.
 */
export type SameAs<Documented, Actual> = [
  IsSame<Documented, Frozen<Actual>>,
  IsSame<Filled<Documented>, Filled<Actual>>,
] extends [true, true]
  ? Documented
  : { readonly documented: Documented; readonly actual: Actual };
