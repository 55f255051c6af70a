import { assert, must, unreachable } from '@etcd-ts/base';
import {
  type ApplyEffect,
  type ConfState,
  type Effect,
  type Entry,
  type Input,
  type LogIndex,
  type Message,
  type NodeId,
  type PersistEffect,
  type RaftConfig,
  RaftCore,
  type RaftStatus,
  type SendSnapshotEffect,
  type Term,
} from '../../index.ts';
import { SimDisk, type SimSnapshot } from './disk.ts';
import type { Ghost } from './ghost.ts';
import { nextDigest } from './machine.ts';
import type { SimRandom } from './random.ts';

/** What a node needs of the world around it. */
export interface SimWorld {
  readonly ghost: Ghost;
  readonly random: SimRandom;
  send(message: Message): void;
  sendSnapshot(from: SimNode, effect: SendSnapshotEffect): void;
  outcome(node: SimNode, effect: Effect & { readonly type: 'outcome' }): void;
  /** Whether (index, term) is on the disks of a quorum. */
  durableOnQuorum(conf: ConfState, index: LogIndex, term: Term): boolean;
}

const EMPTY_CONFIG: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** What a node that knows nothing has on its disk. */
export const EMPTY_SNAPSHOT: SimSnapshot = {
  meta: { index: 0, term: 0, confState: EMPTY_CONFIG },
  digest: 0,
};

/**
 * A core with its driver: a disk that loses what is not synced, a state machine, and the checks of all that
 * can be seen from one node.
 *
 * Invariant: groups are written and acknowledged in order; a message leaves only after its group.
 */
export class SimNode {
  readonly id: NodeId;
  /** A wiped id starts a new life: another name to the observer. */
  life = 0;
  disk: SimDisk;
  core: RaftCore;
  /** What the core was after its last step. */
  status: RaftStatus;
  up = true;
  /** Groups handed out and not yet durable, oldest first. */
  #unsynced: PersistEffect[] = [];
  /** Durable groups of which the core has not been told. */
  #unacknowledged: number[] = [];
  /** Contents of snapshots that arrived, by index and term: a group that installs one finds it here. */
  readonly #staged = new Map<string, SimSnapshot>();
  #page: readonly Entry[] = [];
  /** Inputs that wait to be stepped together. */
  #inbox: Input[] = [];
  /** The state machine now. */
  #machine: SimSnapshot;
  #config: RaftConfig;
  readonly #world: SimWorld;
  #term: Term = 0;
  #commit: LogIndex = 0;
  #lastLogged: LogIndex = 0;
  #confState: ConfState;
  /** Configurations that were in force during the step: each may have decided. */
  #confsOfStep: ConfState[] = [];
  #configIndex: LogIndex;

  constructor(config: RaftConfig, snapshot: SimSnapshot, world: SimWorld) {
    this.id = config.id;
    this.#config = config;
    this.#world = world;
    this.disk = new SimDisk(snapshot);
    this.#machine = snapshot;
    this.#confState = snapshot.meta.confState;
    this.#configIndex = snapshot.meta.index;
    this.core = this.#start();
    this.status = this.core.status();
  }

  get name(): string {
    return this.life === 0 ? `${this.id}` : `${this.id}.${this.life}`;
  }

  get hasUnsynced(): boolean {
    return this.#unsynced.length > 0;
  }

  get hasUnacknowledged(): boolean {
    return this.#unacknowledged.length > 0;
  }

  get hasPage(): boolean {
    return this.#page.length > 0;
  }

  get machine(): SimSnapshot {
    return this.#machine;
  }

  /** The state machine as it is, with the configuration in force there: what a peer is sent. */
  offer(): SimSnapshot {
    const { meta, digest } = this.#machine;
    return { meta: { ...meta, confState: this.#confState }, digest };
  }

  get confState(): ConfState {
    return this.#confState;
  }

  get configIndex(): LogIndex {
    return this.#configIndex;
  }

  #start(): RaftCore {
    const initial = this.disk.recover(this.#world.random);
    const core = new RaftCore(this.#config, initial);
    this.#term = initial.hardState.term;
    this.#commit = 0;
    this.#lastLogged = this.disk.lastIndex;
    return core;
  }

  /** Stops at once. A prefix of the unsynced groups may have reached the disk; a torn one in part. */
  crash(): void {
    const { random } = this.#world;
    const survivors = random.below(this.#unsynced.length + 1);
    for (const group of this.#unsynced.slice(0, survivors)) this.#write(group);
    const torn = this.#unsynced[survivors];
    if (torn !== undefined) this.disk.tear(torn, random.below(torn.entries.length + 1));
    if (random.perMille(500)) this.#saveMachine();
    this.#unsynced = [];
    this.#unacknowledged = [];
    this.#staged.clear();
    this.#page = [];
    this.#inbox = [];
    this.up = false;
  }

  /** The state machine may be written behind; what is on disk is never ahead of the durable log. */
  #saveMachine(): void {
    const { index } = this.#machine.meta;
    if (index <= this.disk.lastIndex) this.disk.machine = this.#machine;
  }

  restart(): void {
    this.#config = { ...this.#config, seed: this.#world.random.bits() };
    this.#machine = this.disk.machine;
    this.#confState = this.disk.snapshot.meta.confState;
    this.#configIndex = this.disk.snapshot.meta.index;
    this.core = this.#start();
    this.up = true;
    this.#confState = this.core.status().confState;
    this.#configIndex = this.#newestConfig();
    this.#confsOfStep = [this.#confState];
    this.#observe();
  }

  /** Index of the configuration in force after a restart: of the last change that the machine holds. */
  #newestConfig(): LogIndex {
    const { firstIndex, applied } = this.core.status();
    const changes = this.core
      .entries(firstIndex, applied)
      .filter((entry) => entry.payload.kind === 'config');
    return changes.at(-1)?.index ?? this.disk.snapshot.meta.index;
  }

  /** The disk is replaced by an empty one: the id belongs to a new node. */
  wipe(): void {
    this.crash();
    this.life++;
    this.disk = new SimDisk(EMPTY_SNAPSHOT);
    this.restart();
  }

  /** Keeps an input back until the next step, or until there are `count`. */
  enqueue(input: Input, count: number): void {
    if (this.#inbox.length + 1 >= count) this.step(input);
    else this.#inbox.push(input);
  }

  /** Steps the core with all that waits and this input, and does at once what needs no disk. */
  step(input: Input): void {
    const inputs = [...this.#inbox, input];
    this.#confsOfStep = [this.#confState];
    this.#inbox = [];
    const effects = inputs.length === 1 ? this.core.step(input) : this.core.stepAll(inputs);
    for (const effect of effects) this.#perform(effect);
    this.#observe();
    // What is answered is judged by what the observer has seen of this very step.
    for (const effect of effects) if (effect.type === 'outcome') this.#world.outcome(this, effect);
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.#logged(effect);
        this.#unsynced.push(effect);
        return;
      case 'send':
        this.#release(effect.messages);
        return;
      case 'apply':
        this.#takePage(effect);
        return;
      case 'sendSnapshot':
        this.#world.sendSnapshot(this, effect);
        return;
      case 'role':
        if (effect.role === 'leader') this.#elected(effect.term);
        return;
      case 'config':
        this.#configured(effect.index, effect.confState);
        return;
      case 'outcome':
      case 'notice':
        return;
      case 'halt':
        assert(false, `${this.name} halted: ${effect.reason}`);
        return;
      default:
        unreachable(effect);
    }
  }

  #elected(term: Term): void {
    const { ghost } = this.#world;
    const holds = (index: LogIndex, entryTerm: Term): boolean =>
      index < this.core.status().firstIndex || this.core.termAt(index) === entryTerm;
    ghost.elected(term, this.name, holds);
    ghost.voted(this.name, term, this.id, this.disk.hardState);
  }

  /** R3, R4. */
  #logged(group: PersistEffect): void {
    const [first] = group.entries;
    if (group.snapshot !== undefined) this.#lastLogged = group.snapshot.index;
    if (first === undefined) return;
    assert(
      this.core.status().role !== 'leader' || first.index === this.#lastLogged + 1,
      () =>
        `R3: leader ${this.name} rewrites its log from ${first.index} (last ${this.#lastLogged})`,
    );
    let previousTerm = this.core.termAt(first.index - 1) ?? 0;
    for (const entry of group.entries) {
      this.#world.ghost.logged(entry, previousTerm);
      previousTerm = entry.term;
      this.#lastLogged = entry.index;
    }
  }

  #takePage(effect: ApplyEffect): void {
    assert(this.#page.length === 0, () => `R7: ${this.name} got a page while one is outstanding`);
    let expected = this.#machine.meta.index + 1;
    for (const entry of effect.entries) {
      assert(
        entry.index === expected,
        () => `R7: ${this.name} is to apply ${entry.index} after ${expected - 1}`,
      );
      assert(
        this.disk.holds(entry.index, entry.term),
        () => `${this.name} is to apply ${entry.term}/${entry.index}, which is not on its disk`,
      );
      expected++;
    }
    this.#page = effect.entries;
  }

  /** R7: what never goes back, checked after every step. */
  #observe(): void {
    this.core.checkInvariants();
    const before = this.status;
    const status = this.core.status();
    this.status = status;
    const isCandidate = status.role === 'candidate' || status.role === 'preCandidate';
    const isNew = before.role !== status.role || before.term !== status.term;
    if (isCandidate && isNew) this.#campaigned(status);
    const { term, commit, lastIndex, firstIndex } = status;
    assert(term >= this.#term, () => `R7: ${this.name} went from term ${this.#term} to ${term}`);
    assert(
      commit >= this.#commit,
      () => `R7: ${this.name} went from commit ${this.#commit} to ${commit}`,
    );
    assert(commit <= lastIndex, () => `R7: ${this.name} committed ${commit} of ${lastIndex}`);
    this.#term = term;
    const from = Math.max(this.#commit, firstIndex - 1);
    this.#commit = commit;
    if (commit <= from) return;
    this.#world.ghost.committedBy(
      { node: this.name, decidedIn: term },
      from,
      this.core.entries(from + 1, commit),
      this.#configIndex,
      (index, entryTerm) =>
        this.#confsOfStep.some((conf) => this.#world.durableOnQuorum(conf, index, entryTerm)),
    );
  }

  #release(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'voteResponse' && !message.rejected) {
        this.#world.ghost.voted(this.name, message.term, message.to, this.disk.hardState);
      }
      this.#world.send(message);
    }
  }

  /** R9: only a voter campaigns, and none with a committed change that it has not applied. */
  #campaigned({ applied, commit }: RaftStatus): void {
    const { voters, votersOutgoing } = this.#confState;
    assert(
      voters.includes(this.id) || votersOutgoing.includes(this.id),
      () => `R9: ${this.name} campaigns without being a voter`,
    );
    const unapplied = this.core
      .entries(applied + 1, commit)
      .find((entry) => entry.payload.kind === 'config');
    assert(
      unapplied === undefined,
      () => `R9: ${this.name} campaigns with change ${unapplied?.index} committed and unapplied`,
    );
  }

  /** Makes the oldest `count` groups durable, lets their messages go and owes the core the news. */
  sync(count: number): void {
    const groups = this.#unsynced.splice(0, count);
    for (const group of groups) {
      this.#write(group);
      this.#unacknowledged.push(group.group);
      this.#release(group.messages);
    }
  }

  #write(group: PersistEffect): void {
    if (!group.mustSync) {
      this.disk.cache(group);
      return;
    }
    let content: SimSnapshot | undefined;
    if (group.snapshot !== undefined) {
      const { index, term } = group.snapshot;
      content = must(this.#staged.get(`${index} ${term}`), `content of snapshot ${index}`);
    }
    this.disk.write(group, content);
    if (content === undefined) return;
    assert(
      content.meta.index >= this.#machine.meta.index,
      () => `R12: ${this.name} goes back from ${this.#machine.meta.index} to ${content.meta.index}`,
    );
    this.#machine = content;
    this.#page = [];
  }

  /** Tells the core what is durable: the newest, or an older one once more. */
  acknowledge(): void {
    const newest = this.#unacknowledged.at(-1);
    if (newest === undefined) return;
    const { random } = this.#world;
    const at = random.below(this.#unacknowledged.length);
    const group = random.perMille(300) ? must(this.#unacknowledged[at], 'group') : newest;
    if (group === newest) this.#unacknowledged = random.perMille(100) ? [newest] : [];
    this.step({ type: 'persisted', group });
  }

  /** Applies some of the page and says so. */
  apply(count: number): void {
    const entries = this.#page.slice(0, count);
    this.#page = this.#page.slice(entries.length);
    for (const entry of entries) {
      const digest = nextDigest(this.#machine.digest, entry);
      this.#world.ghost.applied(this.name, entry, digest);
      // The configuration is recorded when a snapshot is taken, after the core has applied it.
      this.#machine = {
        meta: { index: entry.index, term: entry.term, confState: this.#confState },
        digest,
      };
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    this.step({ type: 'applied', index: last.index });
    if (this.#world.random.perMille(50)) this.step({ type: 'applied', index: last.index - 1 });
  }

  #configured(index: LogIndex, confState: ConfState): void {
    this.#world.ghost.configured(this.name, index, confState);
    this.#confState = confState;
    this.#confsOfStep.push(confState);
    this.#configIndex = index;
  }

  /** Takes a durable snapshot of the state machine and lets the core forget entries. */
  takeSnapshot(compactIndex: LogIndex): void {
    const { index } = this.#machine.meta;
    if (index <= this.disk.snapshot.meta.index || index > this.disk.lastIndex) return;
    const snapshot = this.offer();
    this.#world.ghost.snapshot(this.name, index, snapshot.digest);
    this.disk.compact(snapshot, compactIndex);
    this.step({
      type: 'snapshotTaken',
      snapshotIndex: index,
      compactIndex,
      confState: this.#confState,
    });
  }

  /** A snapshot's content is here in full: now the core hears of it. */
  receiveSnapshot(message: Message & { readonly type: 'snapshot' }, content: SimSnapshot): void {
    this.#world.ghost.snapshot(this.name, content.meta.index, content.digest);
    this.#staged.set(`${content.meta.index} ${content.meta.term}`, content);
    this.step({ type: 'message', message });
  }
}
