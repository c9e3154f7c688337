/**
 * A value whose changes become visible later: the building block of every eventually consistent
 * read in the model. Without lag it behaves like a plain variable.
 */
export class Lagged<T> {
  #entries: { readonly visibleAt: number; readonly value: T }[] = [];

  set(value: T, visibleAt: number): void {
    // A later write never becomes visible before an earlier one: readers may see old state, but not
    // time running backwards.
    const last = this.#entries.at(-1);
    const at = last && last.visibleAt > visibleAt ? last.visibleAt : visibleAt;
    this.#entries.push({ visibleAt: at, value });
  }

  /** The newest value visible at `now` (milliseconds), or undefined when nothing is visible yet. */
  at(now: number): T | undefined {
    let index = this.#entries.length - 1;
    while (index >= 0 && (this.#entries[index]?.visibleAt ?? 0) > now) index -= 1;
    if (index > 0) this.#entries.splice(0, index);
    return index < 0 ? undefined : this.#entries[0]?.value;
  }

  /** What the value will be once everything has propagated. */
  latest(): T | undefined {
    return this.#entries.at(-1)?.value;
  }
}
