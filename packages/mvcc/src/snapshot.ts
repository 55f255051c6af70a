/** A copy of the whole state at one applied index as frames of the snapshot format, in pieces. */
import { EMPTY_BYTES } from '@etcd-ts/base';
import type { BackendEntry } from './backend.ts';
import { CopyScan } from './copy-scan.ts';
import { metaName } from './meta-table.ts';
import { SnapshotWriter } from './snapshot-format.ts';
import type { StoreState } from './store-state.ts';
import type { AppliedPosition } from './write-behind.ts';

/** See the file's head. */
export class SnapshotScan {
  readonly #scan: CopyScan;
  readonly #writer = new SnapshotWriter();
  /** The named blobs, given out before the records. */
  readonly #blobs: readonly BackendEntry[];
  #blobsAt = 0;
  #isEnded = false;

  /** @internal */
  constructor(state: StoreState) {
    this.#scan = new CopyScan(state);
    this.#blobs = this.#scan.blobs.map(([name, value]) => [metaName(name), value]);
    this.#writer.header();
  }

  /** The copy is the state after this entry. */
  get applied(): AppliedPosition {
    return this.#scan.applied;
  }

  get revision(): number {
    return this.#scan.revision;
  }

  /**
   * The next piece.
   *
   * @param entriesMax Looks at about this many revisions.
   * @param bytesMax Ends the piece once it has this many bytes.
   * @returns undefined after the end; before it nothing while there are fewer bytes: they come with a later piece.
   * @throws MvccError COMPACTED when a compaction would not wait (`MvccStore.cancelReads`); CLOSED.
   */
  next(entriesMax: number, bytesMax: number): Uint8Array | undefined {
    this.#scan.check();
    if (this.#isEnded) return undefined;
    const writer = this.#writer;
    for (; this.#blobsAt < this.#blobs.length && writer.length < bytesMax; this.#blobsAt++) {
      const [name, value] = this.#blobs[this.#blobsAt] as BackendEntry;
      writer.meta(name, value);
    }
    const hasBlobs = this.#blobsAt === this.#blobs.length;
    if (hasBlobs && writer.length < bytesMax && this.#addRecords(entriesMax, bytesMax)) {
      writer.end();
      this.#isEnded = true;
    }
    return this.#isEnded || writer.length >= bytesMax ? writer.take() : EMPTY_BYTES;
  }

  /** True when the records read ahead are used up, and more may be given. */
  get wantsReadAhead(): boolean {
    return !this.#isEnded && this.#scan.wantsReadAhead;
  }

  /** Takes the backend's next records, in order from the first on; none means that there are no more. */
  readAhead(entries: readonly BackendEntry[]): void {
    this.#scan.readAhead(entries);
  }

  /** Lets compactions go on; nothing comes after it. Harmless when called again. */
  close(): void {
    this.#isEnded = true;
    this.#scan.close();
  }

  /** @returns true when the last record is in. */
  #addRecords(entriesMax: number, bytesMax: number): boolean {
    const writer = this.#writer;
    return this.#scan.read(entriesMax, (main, sub, tombstone, record) => {
      writer.record(main, sub, tombstone, record);
      return writer.length < bytesMax;
    });
  }
}
