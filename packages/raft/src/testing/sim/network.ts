import type { Message, NodeId } from '../../index.ts';
import type { SimSnapshot } from './disk.ts';
import type { SimPlan } from './plan.ts';
import type { SimRandom } from './random.ts';

/** A message on its way; a snapshot brings its content. */
export interface Flight {
  readonly message: Message;
  readonly content: SimSnapshot | undefined;
}

/** Messages in flight to all nodes; more than these are lost, as in a full socket buffer. */
const FLIGHTS_MAX = 400;

/** A datagram network: it loses, repeats and reorders, and cuts single directions. */
export class SimNetwork {
  readonly #random: SimRandom;
  #lossPerMille: number;
  #duplicatePerMille: number;
  #reorderPerMille: number;
  #flights: Flight[] = [];
  readonly #cuts = new Set<string>();

  constructor(plan: SimPlan, random: SimRandom) {
    this.#random = random;
    this.#lossPerMille = plan.lossPerMille;
    this.#duplicatePerMille = plan.duplicatePerMille;
    this.#reorderPerMille = plan.reorderPerMille;
  }

  get size(): number {
    return this.#flights.length;
  }

  send(message: Message): void {
    this.#send({ message, content: undefined });
  }

  sendSnapshot(message: Message, content: SimSnapshot): void {
    this.#send({ message, content });
  }

  /** A lost snapshot is lost on the way, not here: its sender is to hear of it. */
  #send(flight: Flight): void {
    if (flight.content === undefined && this.isLost()) return;
    this.#flights.push(flight);
    if (this.#duplicatePerMille > 0 && this.#random.perMille(this.#duplicatePerMille)) {
      this.#flights.push(flight);
    }
    if (this.#flights.length > FLIGHTS_MAX && this.#lossPerMille > 0) {
      const oldest = this.#flights.findIndex(({ content }) => content === undefined);
      this.#flights.splice(oldest, 1);
    }
  }

  /** Whether chance takes the next message. */
  isLost(): boolean {
    return this.#lossPerMille > 0 && this.#random.perMille(this.#lossPerMille);
  }

  /** The next message to arrive: the oldest, or any when they are reordered. */
  next(): Flight | undefined {
    const isReordered = this.#reorderPerMille > 0 && this.#random.perMille(this.#reorderPerMille);
    const at = isReordered ? this.#random.below(Math.max(1, this.#flights.length)) : 0;
    const [flight] = this.#flights.splice(at, 1);
    return flight;
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from} ${to}`);
  }

  /** Cuts one direction between two nodes, or all that a node says, or all that it hears. */
  cut(nodeCount: number): boolean {
    const node = 1 + this.#random.below(nodeCount);
    const other = 1 + this.#random.below(nodeCount);
    const kind = this.#random.below(4);
    for (let peer = 1; peer <= nodeCount; peer++) {
      if (kind === 0 && peer !== other) continue;
      if (kind !== 1) this.#cuts.add(`${node} ${peer}`);
      if (kind === 1 || kind === 3) this.#cuts.add(`${peer} ${node}`);
    }
    return true;
  }

  /** Ends all cuts; false when there was none. */
  mend(): boolean {
    if (this.#cuts.size === 0) return false;
    this.#cuts.clear();
    return true;
  }

  /** From now on every message arrives once and in order. */
  becomePerfect(): void {
    this.mend();
    this.#lossPerMille = 0;
    this.#duplicatePerMille = 0;
    this.#reorderPerMille = 0;
  }
}
