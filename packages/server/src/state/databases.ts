/**
 * The databases of a node: the one that holds its state, and the one into which a snapshot is being received.
 *
 * A database is named after the index at which it began (`db-<16 hex digits>`), so that a snapshot's never meets the
 * current one. What always holds
 * - The current database is never written by a snapshot: its content goes into a new one, whole and checked, and only
 *   when the log begins behind the snapshot does the node go over to it.
 * - Which one counts after a crash follows from their content and the log alone (`chooseDatabase`).
 */
import { assert } from '@etcd-ts/base';
import {
  type Backend,
  type MvccStore,
  readApplied,
  restoreSnapshot,
  snapshotStore,
} from '@etcd-ts/mvcc';
import type { LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import { type BackendStore, DamagedDatabaseError } from '../env.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { idleTurn } from '../turns.ts';
import { inTurns, type SnapshotSource } from '../snapshot/snapshot-source.ts';

/** A database that is open. */
export interface Database {
  readonly name: string;
  readonly backend: Backend;
}

/** A database and how far its content goes. */
export interface Candidate extends Database {
  /** Last entry in it; 0 when it is empty or was not received in full. */
  readonly applied: LogIndex;
}

const NAME = /^db-[0-9a-f]{16}$/;

/** The name of the database that begins at this index. */
export function databaseName(index: LogIndex): string {
  return `db-${index.toString(16).padStart(16, '0')}`;
}

/** Opens every database that is there and can be read; the caller closes them. Of the others it gets the names. */
export async function openCandidates(
  store: BackendStore,
  log: Logger,
): Promise<{ readonly candidates: readonly Candidate[]; readonly damaged: readonly string[] }> {
  const candidates: Candidate[] = [];
  const damaged: string[] = [];
  for (const name of await store.list()) {
    if (!NAME.test(name)) continue;
    try {
      const backend = await store.open(name);
      candidates.push({ name, backend, applied: readApplied(backend)?.index ?? 0 });
    } catch (error) {
      if (!(error instanceof DamagedDatabaseError)) {
        for (const { backend } of candidates) await backend.close();
        throw error;
      }
      log.warn('the database is damaged, and counts as lost', { database: name, error });
      damaged.push(name);
    }
  }
  return { candidates, damaged };
}

/**
 * The database that counts: the one furthest ahead among those that the log covers.
 *
 * One that is ahead of the log was received whole, but the node went down before the log began behind it: the log and
 * the older database still belong together.
 */
export function chooseDatabase(
  candidates: readonly Candidate[],
  lastIndex: LogIndex,
): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    const { applied } = candidate;
    if (applied === 0 || applied > lastIndex) continue;
    if (best === undefined || applied > best.applied) best = candidate;
  }
  return best;
}

/** Closes and removes databases. */
export async function removeDatabases(
  store: BackendStore,
  databases: readonly Database[],
): Promise<void> {
  for (const { name, backend } of databases) {
    await backend.close();
    await store.remove(name);
  }
}

/**
 * Fills a new database from a snapshot, and makes it durable.
 *
 * @throws Error when the content is damaged, incomplete, or not what was announced; the database is gone then.
 */
export async function fillDatabase(
  { store, clock }: DatabaseParts,
  meta: SnapshotMeta,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Database> {
  const name = databaseName(meta.index);
  await store.remove(name);
  const backend = await store.open(name);
  try {
    await restoreSnapshot(backend, inTurns(chunks, clock));
    const applied = readApplied(backend);
    if (applied?.index !== meta.index || applied.term !== meta.term) {
      throw new Error(
        `the snapshot is of entry ${applied?.index} in term ${applied?.term}, announced was ${meta.index} in ${meta.term}`,
      );
    }
    await backend.sync();
  } catch (error) {
    await removeDatabases(store, [{ name, backend }]);
    throw error;
  }
  return { name, backend };
}

/** Where databases are, and whose turns their long work gives way to. */
export interface DatabaseParts {
  readonly store: BackendStore;
  readonly clock: Clock;
}

/** How long a database that is not the state any more is kept for those who still read it: snapshots are, to their end. */
const RETIRED_READS_MS = 60_000;

/** A database that is not the state any more. */
interface Retired extends Database {
  readonly store: MvccStore;
  isUnread: boolean;
}

/** The databases of a running node. */
export class Databases {
  readonly #parts: DatabaseParts;
  readonly #store: BackendStore;
  #current: Database;
  #incoming: (Database & { readonly index: LogIndex }) | undefined;
  /** Settles when nothing is being received. */
  #receiving: Promise<unknown> = Promise.resolve();
  /** Snapshots being read; the database that they read is not closed before they end. */
  #readers = 0;
  #retired: Retired[] = [];
  #removing: Promise<void> = Promise.resolve();

  constructor(parts: DatabaseParts, current: Database) {
    this.#parts = parts;
    this.#store = parts.store;
    this.#current = current;
  }

  get currentName(): string {
    return this.#current.name;
  }

  /** A copy of the state as it is now; it may be read while writes go on. */
  snapshot(state: ReplicatedState): Promise<SnapshotSource> {
    const { clock } = this.#parts;
    const copy = snapshotStore(state.store, () => idleTurn(clock));
    const { applied, chunks } = copy;
    const { confState } = state;
    this.#readers += 1;
    let open = true;
    return Promise.resolve({
      meta: { index: applied.index, term: applied.term, confState },
      chunks,
      close: async () => {
        if (!open) return;
        open = false;
        copy.close();
        this.#readers -= 1;
        await this.#removeRetired();
      },
    });
  }

  /** Fills a new database. Nothing of the current one changes. */
  async receive(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    // The one before is not installed yet: its sender is ahead of us, and tries again.
    if (this.#incoming !== undefined) {
      throw new Error(`the snapshot at index ${this.#incoming.index} is still being installed`);
    }
    assert(
      databaseName(meta.index) !== this.#current.name,
      () => `the state began at index ${meta.index} itself`,
    );
    const received = fillDatabase(this.#parts, meta, chunks).then((database) => {
      this.#incoming = { ...database, index: meta.index };
    });
    this.#receiving = received.catch(() => undefined);
    await received;
  }

  /**
   * The log begins behind the snapshot: its database becomes the state. The old one goes when nobody reads it any more:
   * who began to read goes on at the revision at which he began, for {@link RETIRED_READS_MS} at most.
   */
  async install(meta: SnapshotMeta, state: ReplicatedState): Promise<void> {
    const incoming = this.#incoming;
    assert(
      incoming?.index === meta.index,
      () => `snapshot ${meta.index} is to be installed, received was ${incoming?.index}`,
    );
    this.#incoming = undefined;
    const { store } = state;
    await state.replace(incoming.backend);
    this.#retire(this.#current, store);
    this.#current = incoming;
    await this.#removing;
  }

  /** Throws away what was received. */
  async discard(meta: SnapshotMeta): Promise<void> {
    const incoming = this.#incoming;
    if (incoming?.index !== meta.index) return;
    this.#incoming = undefined;
    await removeDatabases(this.#store, [incoming]);
  }

  /**
   * Closes everything; who reads over several turns hears of it with his next step. What is being received comes to its end
   * before: whoever closes has broken it off.
   */
  async close({ store }: ReplicatedState): Promise<void> {
    const retired = this.#retired;
    this.#retired = [];
    for (const { store: old } of retired) old.endReads();
    store.endReads();
    await this.#removing.catch(() => undefined);
    await this.#receiving;
    const all = [this.#current, this.#incoming, ...retired];
    for (const database of all) await database?.backend.close();
  }

  #retire(database: Database, store: MvccStore): void {
    const retired: Retired = { ...database, store, isUnread: false };
    this.#retired.push(retired);
    const timer = this.#parts.clock.after(RETIRED_READS_MS, () => store.endReads('reads'));
    store.whenUnread(() => {
      timer.cancel();
      retired.isUnread = true;
      this.#removing = this.#removeRetired();
      // Who waits for it is told; after that, what cannot be removed now is removed at the next start.
      this.#removing.catch(() => undefined);
    });
  }

  async #removeRetired(): Promise<void> {
    if (this.#readers > 0) return;
    const unread = this.#retired.filter(({ isUnread }) => isUnread);
    this.#retired = this.#retired.filter(({ isUnread }) => !isUnread);
    await removeDatabases(this.#store, unread);
  }
}
