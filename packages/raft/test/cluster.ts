/** A few cores in one process, driven by hand: a network that keeps messages and disks that write when told. */
import {
  type ConfState,
  type Effect,
  type Entry,
  type HardState,
  type Input,
  type Message,
  type NodeId,
  type Outcome,
  type PersistEffect,
  type RaftConfig,
  RaftCore,
  type RaftInitialState,
  type SnapshotMeta,
  type Token,
} from '@etcd-ts/raft';

const NOBODY: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

export const conf = (voters: readonly number[], learners: readonly number[] = []): ConfState => ({
  ...NOBODY,
  voters: voters.map(BigInt),
  learners: learners.map(BigInt),
});

/** One core with the disk and the state machine of its driver. */
export class Node {
  readonly id: NodeId;
  config: RaftConfig;
  core: RaftCore;
  hardState: HardState;
  log: Entry[] = [];
  snapshot: SnapshotMeta;
  applied: Entry[] = [];
  readonly outcomes: Map<Token, Outcome[]> = new Map();
  readonly effects: Effect[] = [];
  /** Writes are acknowledged at once; otherwise they wait in `writes`. */
  isDiskFast = true;
  writes: PersistEffect[] = [];
  /** Pages are acknowledged at once; otherwise the test steps `applied`. */
  isApplyFast = true;
  outgoing: Message[] = [];
  readonly #inbox: Input[] = [];
  #isStepping = false;

  constructor(config: RaftConfig, initial: RaftInitialState) {
    this.id = config.id;
    this.config = config;
    this.hardState = initial.hardState;
    this.log = [...initial.entries];
    this.snapshot = {
      index: initial.snapshotIndex,
      term: initial.snapshotTerm,
      confState: initial.confState,
    };
    this.core = new RaftCore(config, initial);
  }

  /** Steps inputs, then what comes of them; returns the effects of the first call. */
  step(...inputs: readonly Input[]): readonly Effect[] {
    if (this.#isStepping) {
      this.#inbox.push(...inputs);
      return [];
    }
    this.#isStepping = true;
    const first = this.#stepOnce(inputs);
    while (this.#inbox.length > 0) this.#stepOnce(this.#inbox.splice(0));
    this.#isStepping = false;
    return first;
  }

  #stepOnce(inputs: readonly Input[]): readonly Effect[] {
    const effects = this.core.stepAll(inputs);
    this.core.checkInvariants();
    for (const effect of effects) this.#perform(effect);
    return effects;
  }

  #perform(effect: Effect): void {
    this.effects.push(effect);
    switch (effect.type) {
      case 'send':
        this.outgoing.push(...effect.messages);
        return;
      case 'persist':
        this.writes.push(effect);
        if (this.isDiskFast) this.sync();
        return;
      case 'apply':
        this.applied.push(...effect.entries);
        if (this.isApplyFast) {
          this.step({ type: 'applied', index: effect.entries.at(-1)!.index });
        }
        return;
      case 'outcome':
        this.outcomes.set(effect.token, [
          ...(this.outcomes.get(effect.token) ?? []),
          effect.outcome,
        ]);
        return;
      case 'sendSnapshot': {
        const { to, term, session } = effect;
        const snapshot = this.snapshot;
        this.outgoing.push({ type: 'snapshot', from: this.id, to, term, snapshot, session });
        return;
      }
      default:
        return;
    }
  }

  /** Makes the oldest `count` writes durable, then lets their messages go. */
  sync(count: number = this.writes.length): void {
    for (const write of this.writes.splice(0, count)) {
      if (write.snapshot !== undefined) {
        this.snapshot = write.snapshot;
        this.log = [];
      }
      const [first] = write.entries;
      if (first !== undefined) {
        this.log = [...this.log.filter((entry) => entry.index < first.index), ...write.entries];
      }
      if (write.hardState !== undefined) this.hardState = write.hardState;
      this.outgoing.push(...write.messages);
      this.step({ type: 'persisted', group: write.group });
    }
  }

  /** Goes down, losing what was not synced, and comes up again. */
  restart(): void {
    this.writes = [];
    this.outgoing = [];
    this.applied = this.applied.filter((entry) => entry.index <= this.snapshot.index);
    this.core = new RaftCore(this.config, {
      hardState: this.hardState,
      snapshotIndex: this.snapshot.index,
      snapshotTerm: this.snapshot.term,
      confState: this.snapshot.confState,
      entries: this.log,
      applied: this.snapshot.index,
    });
    this.step();
  }

  /** Takes a snapshot of everything applied and forgets the log through `compactIndex`. */
  compact(compactIndex: number): void {
    const { applied, confState } = this.core.status();
    const term = this.core.termAt(applied)!;
    this.snapshot = { index: applied, term, confState };
    this.log = this.log.filter((entry) => entry.index > compactIndex);
    this.step({ type: 'snapshotTaken', snapshotIndex: applied, compactIndex, confState });
  }

  outcome(token: Token): Outcome | undefined {
    return this.outcomes.get(token)?.at(-1);
  }

  commands(): readonly string[] {
    return this.applied.flatMap(({ payload }) =>
      payload.kind === 'command' ? [new TextDecoder().decode(payload.data)] : [],
    );
  }
}

export const command = (token: Token, text: string): Input => ({
  type: 'propose',
  proposals: [{ token, data: new TextEncoder().encode(text) }],
});

export interface ClusterOptions {
  readonly confState?: ConfState;
  readonly config?: Partial<RaftConfig>;
}

/** Nodes 1 to n and the messages between them. */
export class Cluster {
  readonly nodes: Node[];
  messages: Message[] = [];
  /** True for messages that are lost. */
  loses: (message: Message) => boolean = () => false;

  constructor(count: number, options: ClusterOptions = {}) {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const confState = options.confState ?? conf(ids);
    this.nodes = ids.map(
      (id) =>
        new Node(
          { id: BigInt(id), seed: id, ...options.config },
          {
            hardState: { term: 0, vote: 0n, commit: 0 },
            snapshotIndex: 0,
            snapshotTerm: 0,
            confState,
            entries: [],
            applied: 0,
          },
        ),
    );
  }

  node(id: number): Node {
    return this.nodes[id - 1]!;
  }

  collect(): void {
    for (const node of this.nodes) this.messages.push(...node.outgoing.splice(0));
  }

  /** Delivers one round: everything on its way now. */
  deliver(): number {
    this.collect();
    const messages = this.messages.splice(0).filter((message) => !this.loses(message));
    for (const message of messages) {
      this.nodes[Number(message.to) - 1]?.step({ type: 'message', message });
    }
    return messages.length;
  }

  /** Delivers until nothing is on its way. */
  settle(): void {
    for (let round = 0; round < 1000; round++) if (this.deliver() === 0) return;
    throw new Error('the network never comes to rest');
  }

  /** Time passes for everybody; messages are delivered after each tick. */
  tick(count: number): void {
    for (let i = 0; i < count; i++) {
      for (const node of this.nodes) node.step({ type: 'tick' });
      this.settle();
    }
  }

  elect(id: number): Node {
    this.node(id).step({ type: 'campaign' });
    this.settle();
    return this.node(id);
  }

  /** Loses everything between this node and the others. */
  isolate(...ids: readonly number[]): void {
    const cut = new Set(ids.map(BigInt));
    this.loses = ({ from, to }) => cut.has(from) !== cut.has(to);
  }

  heal(): void {
    this.loses = () => false;
  }

  leader(): Node | undefined {
    const leading = this.nodes.filter((node) => node.core.status().role === 'leader');
    return leading.sort((a, b) => b.core.status().term - a.core.status().term)[0];
  }
}
