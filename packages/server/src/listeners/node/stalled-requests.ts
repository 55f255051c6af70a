/**
 * Hangs up on a connection of HTTP/1.1 that begins a request and does not go on with it. node:http has such a limit of
 * its own, but watches it only on ports that it listens on itself.
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { Deadlines, type Expiring } from '../../requests/deadlines.ts';

/** Milliseconds in which the headers of a request must be there (etcd 3.6 embed/serve.go, ReadHeaderTimeout). */
export const HEADERS_TIMEOUT_MS = 300_000;

/** A connection: until when its next request is waited for, and how many were not answered yet. */
interface Watched extends Expiring {
  unanswered: number;
}

/**
 * The connections of one door.
 *
 * Invariant: a connection has a deadline exactly while it owes a request, that is while none of it is being answered.
 */
export class StalledRequests {
  readonly #deadlines: Deadlines;
  readonly #limitMs: number;
  readonly #watched = new WeakMap<Duplex, Watched>();
  #isClosed = false;

  /** @param limitMs Time for a request's headers. */
  constructor(clock: Clock, limitMs: number = HEADERS_TIMEOUT_MS) {
    this.#deadlines = new Deadlines(clock);
    this.#limitMs = limitMs;
  }

  /** From now on a request is waited for. */
  accepted(connection: Duplex): void {
    let watched = this.#watched.get(connection);
    if (watched === undefined) {
      watched = { unanswered: 0, expire: () => void connection.destroy() };
      this.#watched.set(connection, watched);
      connection.once('close', () => this.left(connection));
    }
    watched.unanswered = 0;
    this.#wait(watched);
  }

  /** The headers of one are here. */
  requested(connection: Duplex, response: ServerResponse): void {
    const watched = this.#watched.get(connection);
    if (watched === undefined) return;
    watched.unanswered += 1;
    this.#deadlines.remove(watched);
    response.once('close', () => {
      watched.unanswered -= 1;
      if (watched.unanswered === 0 && !connection.destroyed) this.#wait(watched);
    });
  }

  /** Something else is spoken there from now on, or nothing. */
  left(connection: Duplex): void {
    const watched = this.#watched.get(connection);
    if (watched !== undefined) this.#deadlines.remove(watched);
  }

  /** Waits for nobody any more. */
  close(): void {
    this.#isClosed = true;
    this.#deadlines.clear();
  }

  #wait(watched: Watched): void {
    if (this.#isClosed) return;
    this.#deadlines.remove(watched);
    this.#deadlines.add(watched, this.#limitMs);
  }
}
