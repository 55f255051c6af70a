/**
 * Members of the cluster that this one does not know as such: it lags behind the entry that added them. Whoever speaks
 * for one of them tells where it is reached, so that answers find their way; without that a member which fell behind
 * the joining of its leader could never tell it so, and never catch up.
 *
 * etcd's remotes (server/etcdserver/api/rafthttp/transport.go, AddRemote), with a limit.
 *
 * What always holds
 * - At most {@link MAX_REMOTES} are kept. Beyond it one that is gone gives way; while none is, another is not kept.
 * - Each is dropped as soon as it is known: as a member, or as removed.
 */

/** Unknown members that are kept; more than a cluster has, since a member may lag behind a change of all of them. */
export const MAX_REMOTES = 16;

/** What a transport has to do with those that it keeps. */
export interface RemotesParts {
  /** Nothing connects this node with it any more: it may give way. */
  readonly isGone: (id: bigint) => boolean;
  /** It gave way to another. */
  readonly gaveWay: (id: bigint) => void;
}

/** The unknown members that are heard, and the way to each. */
export class Remotes<Way> {
  readonly #ways = new Map<bigint, Way>();
  readonly #parts: RemotesParts;

  constructor(parts: RemotesParts) {
    this.#parts = parts;
  }

  /** The way to one that is kept. */
  get(id: bigint): Way | undefined {
    return this.#ways.get(id);
  }

  /**
   * Keeps one, or learns where it is now.
   *
   * @returns False when there is no room for it.
   */
  keep(id: bigint, way: Way): boolean {
    if (!this.#ways.has(id) && this.#ways.size >= MAX_REMOTES && !this.#makeRoom()) return false;
    this.#ways.set(id, way);
    return true;
  }

  /** Keeps those no more. @returns Who they were. */
  drop(which: (id: bigint) => boolean): readonly bigint[] {
    const dropped = [...this.#ways.keys()].filter(which);
    for (const id of dropped) this.#ways.delete(id);
    return dropped;
  }

  #makeRoom(): boolean {
    for (const id of this.#ways.keys()) {
      if (!this.#parts.isGone(id)) continue;
      this.#ways.delete(id);
      this.#parts.gaveWay(id);
      return true;
    }
    return false;
  }
}
