/** A store's content for other formats than its own: taken out as blobs and records, and filled into a backend. */
import { assert } from '@etcd-ts/base';
import type { Backend, BackendEntry, BackendOperation } from './backend.ts';
import type { CopyScan } from './copy-scan.ts';
import {
  META_APPLIED,
  META_COMPACT,
  META_COMPACTED,
  META_SKIPPED,
  metaName,
  numberBytes,
  positionBytes,
} from './meta-table.ts';
import { RecordNames } from './record-names.ts';
import { recordMain, recordNameBytes, RECORDS_END, RECORDS_START } from './revision.ts';
import type { MvccStore } from './store.ts';
import type { AppliedPosition } from './write-behind.ts';

/** Records read, and revisions looked at, in one turn: some tenths of a millisecond. */
const READ_STEP_ENTRIES = 64;
/** A step ends once its records have this many bytes: 128 KiB. A record is never cut. */
const READ_STEP_BYTES: number = 128 << 10;
/** Revisions counted in one turn, none of them read. */
const MEASURE_STEP_ENTRIES = 4096;
/** Operations, or bytes, after which a batch ends: 4 MiB. */
const FILL_BATCH_OPERATIONS = 4096;
const FILL_BATCH_BYTES: number = 4 << 20;

/** A copy of the whole state as of one entry, while writes go on. */
export interface StoreCopy {
  /** The copy is the state after this entry. */
  readonly applied: AppliedPosition;
  readonly revision: number;
  /** -1 before the first compaction; what it drops is not in the copy, dropped or not. */
  readonly compactRevision: number;
  /** True when the store jumped to this revision: no record is of it. */
  readonly hasJumped: boolean;
  /** The caller's blobs (`MvccStore.meta`) as they were, in byte order of their names. */
  readonly blobs: readonly (readonly [name: string, value: Uint8Array])[];
  /**
   * How large each record's name and the record itself are, in order, without reading one.
   *
   * @throws MvccError COMPACTED when a compaction would not wait; CLOSED.
   */
  measure(visit: (nameBytes: number, recordBytes: number) => void): Promise<void>;
  /** The records by name, in order, a turn's worth at a time; to be gone through once. @throws MvccError as `measure`. */
  records(): AsyncIterable<readonly BackendEntry[]>;
  /** Lets compactions go on. Must be called once the copy is no longer wanted, read or not. */
  close(): void;
}

/**
 * Takes a copy. Holds up further compactions until it is closed.
 *
 * @param aTurn Gives others their turn. Left out: waiting for the backend is all the turn they get.
 */
export function copyStore(store: MvccStore, aTurn?: () => Promise<void>): StoreCopy {
  const scan = store.copy();
  const { applied, revision, compactRevision, hasJumped } = scan;
  return {
    applied,
    revision,
    compactRevision,
    hasJumped,
    blobs: scan.blobs.filter(([name]) => !name.startsWith('.')),
    measure: async (visit) => {
      const sized = (bytes: number, tombstone: boolean): void => {
        const nameBytes = recordNameBytes(tombstone);
        visit(nameBytes, bytes - nameBytes);
      };
      while (!scan.measure(MEASURE_STEP_ENTRIES, sized)) await aTurn?.();
    },
    records: () => readRecords(store.backend, scan, aTurn),
    close: () => scan.close(),
  };
}

async function* readRecords(
  backend: Backend,
  scan: CopyScan,
  aTurn: (() => Promise<void>) | undefined,
): AsyncGenerator<readonly BackendEntry[], void, undefined> {
  // No page is read before it is wanted: that takes the loop's time too, when others may need it.
  const pages = backend.iterate(RECORDS_START, RECORDS_END);
  const names = new RecordNames();
  try {
    for (let isDone = false; !isDone;) {
      await aTurn?.();
      if (scan.wantsReadAhead) scan.readAhead(await pages.nextPage(READ_STEP_ENTRIES));
      const entries: BackendEntry[] = [];
      let bytes = 0;
      isDone = scan.read(READ_STEP_ENTRIES, (main, sub, tombstone, record) => {
        entries.push([names.make(main, sub, tombstone), record]);
        bytes += record.length;
        return bytes < READ_STEP_BYTES;
      });
      if (entries.length > 0) yield entries;
    }
  } finally {
    await pages.close();
  }
}

/** What a backend is filled with: the parts of a {@link StoreCopy}, from elsewhere. */
export interface StoreContent {
  readonly applied: AppliedPosition;
  /** -1: nothing was compacted. */
  readonly compactRevision: number;
  /** Through which revision a compaction has dropped what it had to. */
  readonly compactedRevision: number;
  /** In order. */
  readonly records: AsyncIterable<readonly BackendEntry[]>;
  /** The store's revision where it is above the last record's; asked for when all records have come. */
  readonly revision: () => number;
  /** Names do not begin with a dot. Asked for when all records have come. */
  readonly blobs: () => Iterable<readonly [name: string, value: Uint8Array]>;
}

/**
 * Fills an empty backend. Open a store on it afterwards, which finds out whether the content is one that a store can have.
 *
 * The applied position is written last: a backend that was filled in part says that nothing was applied.
 */
export async function fillBackend(backend: Backend, content: StoreContent): Promise<void> {
  let operations: BackendOperation[] = [];
  let bytes = 0;
  let lastRevision = 0;
  for await (const entries of content.records) {
    for (const [key, value] of entries) {
      operations.push({ key, value });
      bytes += key.length + value.length;
      lastRevision = recordMain(key);
    }
    if (operations.length < FILL_BATCH_OPERATIONS && bytes < FILL_BATCH_BYTES) continue;
    await backend.write(operations);
    operations = [];
    bytes = 0;
  }
  for (const [name, value] of content.blobs()) {
    assert(!name.startsWith('.'), () => `the blob ${name} is the store's own`);
    operations.push({ key: metaName(name), value });
  }
  await backend.write([...operations, ...ownBlobs(content, lastRevision)]);
  const position = { key: metaName(META_APPLIED), value: positionBytes(content.applied) };
  await backend.write([position]);
}

function ownBlobs(content: StoreContent, lastRevision: number): BackendOperation[] {
  const { compactRevision, compactedRevision } = content;
  const revision = Math.max(content.revision(), compactRevision);
  // A revision without record is one that was jumped to: through it all is compacted.
  const isJump = revision > Math.max(lastRevision, 1);
  const through = isJump ? revision : compactRevision;
  const numbers: [name: string, value: number][] = [
    [META_COMPACT, through],
    [META_COMPACTED, Math.min(compactedRevision, through)],
    [META_SKIPPED, isJump ? revision : -1],
  ];
  return numbers
    .filter(([, value]) => value >= 0)
    .map(([name, value]) => ({ key: metaName(name), value: numberBytes(value) }));
}
