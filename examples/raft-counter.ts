// Three nodes in memory that agree on a counter: `@etcd-ts/raft` alone, with a driver of one screen.
import {
  type Effect,
  type Entry,
  type HardState,
  type Input,
  type Message,
  RaftCore,
  type Token,
} from '@etcd-ts/raft';

const VOTERS = [1n, 2n, 3n];

/** Messages on their way; this network loses nothing, but it may be told to. */
const network: Message[] = [];
const down = new Set<bigint>();

/** One node: the core, a disk that outlives it, and a state machine that adds up. */
class CounterNode {
  readonly id: bigint;
  #core: RaftCore;
  #disk: { hardState: HardState; log: Entry[] };
  #counter = 0;
  #applied = 0;
  #nextToken: Token = 1;
  readonly #inbox: Input[] = [];
  #isStepping = false;
  readonly #waiting = new Map<Token, (result: string) => void>();
  readonly #reads: { index: number; answer: (result: string) => void }[] = [];

  constructor(id: bigint) {
    this.id = id;
    this.#disk = { hardState: { term: 0, vote: 0n, commit: 0 }, log: [] };
    this.#core = this.#start(1);
  }

  /** Makes a core of what the disk holds. Each start wants another seed. */
  #start(seed: number): RaftCore {
    const { hardState, log } = this.#disk;
    const confState = {
      voters: VOTERS,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    };
    return new RaftCore(
      { id: this.id, seed: seed * 1000 + Number(this.id) },
      { hardState, snapshotIndex: 0, snapshotTerm: 0, confState, entries: log, applied: 0 },
    );
  }

  restart(): void {
    this.#counter = 0;
    this.#applied = 0;
    this.#core = this.#start(2);
  }

  // #region driver
  /** Inputs in, effects out, done in the order given. What happens meanwhile waits for the next call. */
  step(...inputs: Input[]): void {
    this.#inbox.push(...inputs);
    if (this.#isStepping) return;
    this.#isStepping = true;
    while (this.#inbox.length > 0) {
      for (const effect of this.#core.stepAll(this.#inbox.splice(0))) this.#perform(effect);
    }
    this.#isStepping = false;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        network.push(...effect.messages);
        return;
      case 'persist': {
        const [first] = effect.entries;
        if (first !== undefined)
          this.#disk.log.splice(first.index - 1, Infinity, ...effect.entries);
        if (effect.hardState !== undefined) this.#disk.hardState = effect.hardState;
        // Durable now (this disk is fast): only then do these messages leave and is the core told.
        network.push(...effect.messages);
        this.step({ type: 'persisted', group: effect.group });
        return;
      }
      case 'apply':
        for (const entry of effect.entries) this.#apply(entry);
        return;
      case 'outcome': {
        const answer = this.#waiting.get(effect.token);
        const { outcome } = effect;
        if (answer === undefined || outcome.kind === 'accepted') return;
        this.#waiting.delete(effect.token);
        if (outcome.kind === 'readable') {
          this.#reads.push({ index: outcome.index, answer });
          this.#serveReads();
        } else answer(outcome.kind === 'refused' ? `refused: ${outcome.reason}` : outcome.kind);
        return;
      }
      case 'halt':
        throw new Error(effect.reason);
      default:
        return;
    }
  }

  #apply({ index, payload }: Entry): void {
    if (payload.kind === 'command') this.#counter += payload.data[0] ?? 0;
    this.#applied = index;
    this.step({ type: 'applied', index });
    this.#serveReads();
  }

  /** A read may be served once its index is applied. */
  #serveReads(): void {
    const due = this.#reads.filter(({ index }) => index <= this.#applied);
    for (const read of due) {
      this.#reads.splice(this.#reads.indexOf(read), 1);
      read.answer(`the counter is ${this.#counter}`);
    }
  }
  // #endregion

  add(amount: number, answer: (result: string) => void): void {
    const token = this.#nextToken++;
    this.#waiting.set(token, answer);
    this.step({ type: 'propose', proposals: [{ token, data: Uint8Array.of(amount) }] });
  }

  read(answer: (result: string) => void): void {
    const token = this.#nextToken++;
    this.#waiting.set(token, answer);
    this.step({ type: 'read', token });
  }

  get leads(): boolean {
    return this.#core.role === 'leader';
  }

  describe(): string {
    const { role, term, applied } = this.#core.status();
    return `node ${this.id}: ${role} of term ${term}, applied ${applied}, counter ${this.#counter}`;
  }
}

const nodes = VOTERS.map((id) => new CounterNode(id));

/** Delivers messages until none is on its way. */
function deliver(): void {
  for (let message = network.shift(); message !== undefined; message = network.shift()) {
    const { to, from } = message;
    if (down.has(to) || down.has(from)) continue;
    nodes.find((node) => node.id === to)?.step({ type: 'message', message });
  }
}

/** Lets time pass until somebody who is up leads. */
function elect(): CounterNode {
  for (;;) {
    const leader = nodes.find((node) => node.leads && !down.has(node.id));
    if (leader !== undefined) return leader;
    for (const node of nodes) if (!down.has(node.id)) node.step({ type: 'tick' });
    deliver();
  }
}

const first = elect();
first.add(5, (result) => console.log(`add 5 at the leader: ${result}`));
deliver();

const follower = nodes.find((node) => node !== first) ?? first;
follower.add(37, (result) => console.log(`add 37 at a follower: ${result}`));
deliver();
follower.read((result) => console.log(`read at a follower: ${result}`));
deliver();

down.add(first.id);
const second = elect();
console.log(`the leader is gone, another leads: ${second.id !== first.id}`);
second.add(8, (result) => console.log(`add 8 at the new leader: ${result}`));
deliver();

down.clear();
first.restart();
for (let tick = 0; tick < 5; tick++) {
  for (const node of nodes) node.step({ type: 'tick' });
  deliver();
}
for (const node of nodes) console.log(node.describe());
