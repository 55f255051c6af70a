/** Bytes of a file in memory, in pages made when first written: a preallocated file costs nothing. */

/** Bytes of a page. */
export const PAGE_BYTES: number = 64 * 1024;

/** Invariant: no page holds anything but zeros behind `sizeBytes`. */
export class PagedBytes {
  readonly #pages = new Map<number, Uint8Array>();
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Reads what is there; fewer bytes than asked for only at the end. */
  read(positionBytes: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.#sizeBytes - positionBytes));
    for (let done = 0; done < count;) {
      const { number, offset, room } = place(positionBytes + done, count - done);
      const page = this.#pages.get(number);
      const part = into.subarray(done, done + room);
      if (page === undefined) part.fill(0);
      else part.set(page.subarray(offset, offset + room));
      done += room;
    }
    return count;
  }

  /** Writes all of the bytes, growing as needed. */
  write(positionBytes: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const { number, offset, room } = place(positionBytes + done, bytes.length - done);
      let page = this.#pages.get(number);
      if (page === undefined) this.#pages.set(number, (page = new Uint8Array(PAGE_BYTES)));
      page.set(bytes.subarray(done, done + room), offset);
      done += room;
    }
    this.#sizeBytes = Math.max(this.#sizeBytes, positionBytes + bytes.length);
  }

  /** Sets the size; growing adds zeros. */
  resize(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      for (const [number, page] of this.#pages) {
        const keep = sizeBytes - number * PAGE_BYTES;
        if (keep <= 0) this.#pages.delete(number);
        else if (keep < PAGE_BYTES) page.fill(0, keep);
      }
    }
    this.#sizeBytes = sizeBytes;
  }

  /** A copy that shares nothing. */
  copy(): PagedBytes {
    const copy = new PagedBytes();
    for (const [number, page] of this.#pages) copy.#pages.set(number, page.slice());
    copy.#sizeBytes = this.#sizeBytes;
    return copy;
  }
}

function place(
  positionBytes: number,
  wanted: number,
): { readonly number: number; readonly offset: number; readonly room: number } {
  const offset = positionBytes % PAGE_BYTES;
  const number = (positionBytes - offset) / PAGE_BYTES;
  return { number, offset, room: Math.min(wanted, PAGE_BYTES - offset) };
}
