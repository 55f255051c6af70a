/** Gives every request of a node its number; one counter, so that an outcome belongs to exactly one of them. */
export class Tokens {
  #last = 0;

  next(): number {
    this.#last += 1;
    return this.#last;
  }
}
