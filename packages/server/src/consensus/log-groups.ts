/**
 * The core's persist groups on their way into the log and back to the core.
 *
 * What always holds
 * - Groups are acknowledged in their order, each only when it is durable.
 * - Where the log now begins behind a snapshot, the state has followed before that group is acknowledged, and before
 *   anything after it.
 */
import type { PersistEffect, SnapshotMeta } from '@etcd-ts/raft';
import type { Wal, WalGroup } from '@etcd-ts/wal';

/** What the groups are handed to. */
export interface LogGroupsParts {
  readonly wal: Wal;
  /** Makes the state follow a snapshot behind which the log now begins. */
  readonly install: (snapshot: SnapshotMeta) => Promise<void>;
  /** The group is durable, and the state is where it says. */
  readonly persisted: (effect: PersistEffect) => void;
  /** The disk or the installation failed. */
  readonly failed: (error: Error) => void;
}

/** Writes groups and acknowledges them. */
export class LogGroups {
  readonly #parts: LogGroupsParts;
  /** Durable and not yet acknowledged, since a snapshot before them is being installed. */
  readonly #durable: PersistEffect[] = [];
  #isInstalling = false;
  #ended = false;

  constructor(parts: LogGroupsParts) {
    this.#parts = parts;
  }

  /** Hands a group to the log. */
  write(effect: PersistEffect): void {
    const { snapshot, entries, hardState } = effect;
    const group: WalGroup = { snapshot, entries, hardState };
    this.#parts.wal.write(group, effect.mustSync || snapshot !== undefined, (error) => {
      if (this.#ended) return;
      if (error !== undefined) {
        this.#parts.failed(error);
        return;
      }
      const isNext = this.#durable.length === 0 && !this.#isInstalling;
      if (isNext && effect.snapshot === undefined) return this.#parts.persisted(effect);
      this.#durable.push(effect);
      this.#acknowledge();
    });
  }

  /** Nothing is acknowledged any more. */
  end(): void {
    this.#ended = true;
  }

  #acknowledge(): void {
    while (!this.#isInstalling && !this.#ended) {
      const effect = this.#durable.shift();
      if (effect === undefined) return;
      if (effect.snapshot === undefined) this.#parts.persisted(effect);
      else void this.#install(effect, effect.snapshot);
    }
  }

  async #install(effect: PersistEffect, snapshot: SnapshotMeta): Promise<void> {
    this.#isInstalling = true;
    try {
      await this.#parts.install(snapshot);
    } catch (cause) {
      const what = `snapshot at index ${snapshot.index} could not be installed`;
      if (!this.#ended) this.#parts.failed(new Error(what, { cause }));
      return;
    }
    this.#isInstalling = false;
    if (this.#ended) return;
    this.#parts.persisted(effect);
    this.#acknowledge();
  }
}
