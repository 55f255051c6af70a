/** Moves watchers that are behind, in bounded steps between which everybody else has a turn. */
import type { NodePort } from '../../node-port.ts';

/** Index entries read in one turn. */
const STEP_ENTRIES = 1_000;

/** Drives the hub's catching up; whoever leaves a watcher behind wakes it. */
export class CatchUp {
  readonly #node: NodePort;
  #isScheduled = false;
  #isStopped = false;

  constructor(node: NodePort) {
    this.#node = node;
  }

  /** There is, or may be, a watcher behind. Harmless when there is none. */
  wake(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#node.clock.soon(() => this.#step());
  }

  /** Ends: no step is made any more. */
  stop(): void {
    this.#isStopped = true;
  }

  #step(): void {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    if (this.#node.state.store.hub.step(STEP_ENTRIES)) this.wake();
  }
}
