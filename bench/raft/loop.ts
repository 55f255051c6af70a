/** Cores in one process without I/O: disks that are done by the next turn, a network that loses nothing. */
import { RaftCore, type Effect, type Input, type NodeId, type Proposal } from '@etcd-ts/raft';

/** Entries after which a node forgets its log, as a driver that takes snapshots would. */
const COMPACT_EVERY_ENTRIES = 8192;

const DATA: Uint8Array = new Uint8Array(16).fill(7);

class LoopNode {
  readonly core: RaftCore;
  inbox: Input[] = [];
  applied = 0;
  committed = 0;
  #snapshotIndex = 0;

  constructor(id: NodeId, voters: readonly NodeId[]) {
    const confState = {
      voters,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    };
    this.core = new RaftCore(
      { id, seed: Number(id), checkQuorum: false },
      {
        hardState: { term: 0, vote: 0n, commit: 0 },
        snapshotIndex: 0,
        snapshotTerm: 0,
        confState,
        entries: [],
        applied: 0,
      },
    );
  }

  /** Takes everything that has come in, in one call. */
  turn(nodes: readonly LoopNode[]): void {
    const inputs = this.inbox;
    this.inbox = [];
    for (const effect of this.core.stepAll(inputs)) this.#perform(effect, nodes);
  }

  #perform(effect: Effect, nodes: readonly LoopNode[]): void {
    switch (effect.type) {
      case 'send':
        for (const message of effect.messages) {
          nodes[Number(message.to) - 1]?.inbox.push({ type: 'message', message });
        }
        return;
      case 'persist':
        for (const message of effect.messages) {
          nodes[Number(message.to) - 1]?.inbox.push({ type: 'message', message });
        }
        this.inbox.push({ type: 'persisted', group: effect.group });
        return;
      case 'apply':
        this.#apply(effect.entries.length);
        return;
      case 'outcome':
        if (effect.outcome.kind === 'committed') this.committed++;
        return;
      default:
        return;
    }
  }

  #apply(count: number): void {
    this.applied += count;
    this.inbox.push({ type: 'applied', index: this.applied });
    const compactIndex = this.core.applied;
    if (compactIndex - this.#snapshotIndex < COMPACT_EVERY_ENTRIES) return;
    this.#snapshotIndex = compactIndex;
    const { confState } = this.core;
    this.inbox.push({
      type: 'snapshotTaken',
      snapshotIndex: compactIndex,
      compactIndex,
      confState,
    });
  }
}

/** A cluster whose node 1 leads. */
export class Loop {
  readonly nodes: readonly LoopNode[];
  #token = 0;

  constructor(size: number) {
    const ids = Array.from({ length: size }, (_, i) => BigInt(i + 1));
    this.nodes = ids.map((id) => new LoopNode(id, ids));
    this.leader.inbox.push({ type: 'campaign' });
    this.settle();
  }

  get leader(): LoopNode {
    return this.nodes[0]!;
  }

  /** Turns until nothing is on its way. */
  settle(): void {
    for (let worked = true; worked;) {
      worked = false;
      for (const node of this.nodes) {
        if (node.inbox.length === 0) continue;
        worked = true;
        node.turn(this.nodes);
      }
    }
  }

  /** Commits and applies `count` proposals on all nodes, with at most `inFlight` of them undecided. */
  commit(count: number, inFlight: number): void {
    let proposed = 0;
    const start = this.leader.committed;
    while (this.leader.committed - start < count) {
      const room = Math.min(
        inFlight - (proposed - (this.leader.committed - start)),
        count - proposed,
      );
      if (room > 0) {
        const proposals: Proposal[] = [];
        for (let i = 0; i < room; i++) proposals.push({ token: ++this.#token, data: DATA });
        this.leader.inbox.push({ type: 'propose', proposals });
        proposed += room;
      }
      for (const node of this.nodes) if (node.inbox.length > 0) node.turn(this.nodes);
    }
    this.settle();
  }
}
