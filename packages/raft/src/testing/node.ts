import { assert, must, unreachable } from '@etcd-ts/base';
import type {
  ConfState,
  Effect,
  Entry,
  HardState,
  Input,
  LogIndex,
  Message,
  NodeId,
  PersistEffect,
  RaftConfig,
  RaftInitialState,
  SnapshotMeta,
} from '../index.ts';
import { ApplyCursor } from './apply-cursor.ts';
import { CoreView } from './core-view.ts';
import type { LogLevel } from './output.ts';
import type { Ready, SoftState } from './ready.ts';
import { TranscriptStorage } from './storage.ts';
import { UnstableView } from './unstable.ts';
import { storageAppend, storageApply } from './storage-message.ts';
import { toWire } from './wire-encode.ts';
import { type WireMessage, waitsForAppend, wireMessage } from './wire-message.ts';

/** What a node tells its environment while it works. */
export interface NodeEvents {
  readonly log: (level: LogLevel, text: string) => void;
  /** Effects that no Ready shows: outcomes, notices, halts. */
  readonly effect: (node: TranscriptNode, effect: Effect) => void;
}

/** How a node of a transcript is set up. */
export interface NodeOptions {
  readonly config: RaftConfig;
  readonly asyncStorage: boolean;
  /** Bytes of committed entries in one Ready; at least one entry always fits. */
  readonly maxCommittedBytes: number;
}

/**
 * One node of a transcript: our core, driven so that it looks like etcd's `RawNode`.
 *
 * Our effects come at once and are numbered; etcd collects everything until the driver takes a Ready. This
 * class collects for it. What decides anything is the core; the cursors kept here only decide what is
 * printed in which Ready.
 *
 * Invariant: what is printed as committed never runs ahead of the core's commit index.
 */
export class TranscriptNode {
  readonly id: NodeId;
  readonly storage: TranscriptStorage;
  readonly options: NodeOptions;
  /** Messages of the storage threads that are still to be worked on (asynchronous storage). */
  readonly appendWork: WireMessage[] = [];
  readonly applyWork: WireMessage[] = [];
  readonly #events: NodeEvents;
  #view: CoreView;
  #unstable: UnstableView;
  #immediate: WireMessage[] = [];
  #waiting: WireMessage[] = [];
  /** Newest persist group that the core gave out. */
  #group = 0;
  /** The newest group that the last Ready held. */
  #readyGroup = 0;
  /** Last entry that the core handed out to be applied. */
  #handedOut: LogIndex;
  #cursor: ApplyCursor;
  #previousSoft: SoftState;
  #previousHard: HardState;

  constructor(options: NodeOptions, initial: RaftInitialState, events: NodeEvents) {
    this.id = options.config.id;
    this.options = options;
    this.#events = events;
    this.storage = new TranscriptStorage({
      index: initial.snapshotIndex,
      term: initial.snapshotTerm,
      confState: initial.confState,
    });
    this.#handedOut = initial.applied;
    this.#cursor = new ApplyCursor(initial.applied, options.maxCommittedBytes);
    this.#unstable = new UnstableView(this.storage.lastIndex);
    this.#view = this.#start(initial);
    this.#previousSoft = this.#soft();
    this.#previousHard = this.#hard();
  }

  get view(): CoreView {
    return this.#view;
  }

  /** Loses everything that no Ready made durable, and starts again from what is stored. */
  restart(): void {
    const initial = this.storage.recover();
    this.#immediate = [];
    this.#waiting = [];
    this.appendWork.length = 0;
    this.applyWork.length = 0;
    this.#group = 0;
    this.#readyGroup = 0;
    this.#handedOut = initial.applied;
    this.#cursor = new ApplyCursor(initial.applied, this.options.maxCommittedBytes);
    this.#unstable = new UnstableView(this.storage.lastIndex);
    this.#view = this.#start(initial);
    this.#previousSoft = this.#soft();
    this.#previousHard = this.#hard();
    // Nothing new is durable, but what was committed before is handed out with the first step.
    this.step({ type: 'persisted', group: 0 });
  }

  #start(initial: RaftInitialState): CoreView {
    return new CoreView(this.options.config, initial, {
      log: this.#events.log,
      cursors: () => ({
        applied: this.#cursor.applied,
        applying: this.#cursor.applying,
        offset: this.#unstable.offset,
        offsetInProgress: this.#unstable.offsetInProgress,
        length: this.#unstable.length,
      }),
      campaigned: (message) => this.#waiting.push(message),
    });
  }

  /** Steps the core and keeps its effects for the next Ready. */
  step(input: Input): readonly Effect[] {
    const effects = this.#view.step(input);
    for (const effect of effects) this.#absorb(effect);
    return effects;
  }

  /** Takes a message in; a storage thread's answer tells the core what is durable. */
  receive(message: WireMessage): void {
    const { delivery } = message;
    switch (delivery.kind) {
      case 'step':
        this.step({ type: 'message', message: delivery.message });
        return;
      case 'persisted':
        this.step({ type: 'persisted', group: delivery.group });
        return;
      case 'stable':
        this.#stable(message, delivery.group);
        return;
      case 'none':
        if (message.type === 'MsgStorageApplyResp') this.#cursor.acknowledge(message.entries);
        return;
      default:
        unreachable(delivery);
    }
  }

  #stable(message: WireMessage, group: number): void {
    this.step({ type: 'persisted', group });
    if (message.snapshot !== undefined) this.#acceptSnapshot(message.snapshot.index);
    if (message.index === 0) return;
    const term = this.#view.term;
    if (message.term < term) {
      this.#events.log(
        'info',
        `${this.id.toString(16)} [term: ${term}] ignored entry appends from a ` +
          `MsgStorageAppendResp message with lower term [term: ${message.term}]`,
      );
      return;
    }
    const line = this.#unstable.stableTo(message.index, message.logTerm);
    if (line !== undefined) this.#events.log('info', line);
  }

  #absorb(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.#absorbPersist(effect);
        return;
      case 'send':
        this.#queue(effect.messages);
        return;
      case 'apply':
        this.#handedOut = must(effect.entries.at(-1), 'entry to apply').index;
        return;
      case 'sendSnapshot':
        this.#queue([
          {
            type: 'snapshot',
            from: this.id,
            to: effect.to,
            term: effect.term,
            snapshot: this.storage.newestSnapshot,
            session: effect.session,
          },
        ]);
        return;
      case 'role':
      case 'config':
        return;
      case 'outcome':
      case 'notice':
      case 'halt':
        this.#events.effect(this, effect);
        return;
      default:
        unreachable(effect);
    }
  }

  #absorbPersist(effect: PersistEffect): void {
    assert(effect.group === this.#group + 1, () => `group ${effect.group} after ${this.#group}`);
    this.#group = effect.group;
    if (effect.snapshot !== undefined) this.#unstable.restore(effect.snapshot);
    const line = this.#unstable.append(effect.entries);
    if (line !== undefined) this.#events.log('info', line);
    const last = effect.entries.at(-1);
    if (last !== undefined && this.#view.role === 'leader') {
      this.#waiting.push(
        wireMessage(
          { type: 'MsgAppResp', from: this.id, to: this.id, term: this.#view.term },
          { index: last.index },
        ),
      );
    }
    this.#queue(effect.messages);
  }

  /** Sorts messages the way etcd does: by type, not by what our core lets them wait for. */
  #queue(messages: readonly Message[]): void {
    for (const message of messages) {
      let wire = toWire(message);
      if (message.type === 'heartbeat') {
        wire = { ...wire, commit: this.#view.heartbeatCommit(message) };
      }
      (waitsForAppend(wire.type) ? this.#waiting : this.#immediate).push(wire);
    }
  }

  #soft(): SoftState {
    return { leader: this.#view.leader, role: this.#view.role };
  }

  #hard(): HardState {
    return { term: this.#view.term, vote: this.#view.vote, commit: this.#view.commit };
  }

  /** The last entry that may be applied: in asynchronous mode only what is on the disk. */
  #appliableIndex(): LogIndex {
    const { commit } = this.#view;
    return this.options.asyncStorage ? Math.min(commit, this.#unstable.offset - 1) : commit;
  }

  /** Committed entries that etcd would hand out now. */
  #nextCommitted(): readonly Entry[] {
    if (this.#unstable.hasSnapshot) return [];
    return this.#cursor.next(this.#appliableIndex(), (from, to) => this.#view.entries(from, to));
  }

  /** True when a Ready would not be empty. */
  hasReady(): boolean {
    const soft = this.#soft();
    const hard = this.#hard();
    return (
      soft.leader !== this.#previousSoft.leader ||
      soft.role !== this.#previousSoft.role ||
      !sameHardState(hard, this.#previousHard) ||
      this.#immediate.length + this.#waiting.length > 0 ||
      this.#unstable.nextEntries.length > 0 ||
      this.#unstable.nextSnapshot !== undefined ||
      this.#nextCommitted().length > 0
    );
  }

  /** Takes everything that has collected. In asynchronous mode the storage work is among the messages. */
  takeReady(): Ready {
    const soft = this.#soft();
    const hard = this.#hard();
    const previous = this.#previousHard;
    const softChanged =
      soft.leader !== this.#previousSoft.leader || soft.role !== this.#previousSoft.role;
    const hardChanged = !sameHardState(hard, previous);
    const entries = this.#unstable.nextEntries;
    const snapshot = this.#unstable.nextSnapshot;
    const committed = this.#nextCommitted();
    const ready = {
      ...(softChanged ? { softState: soft } : {}),
      ...(hardChanged ? { hardState: hard } : {}),
      ...(snapshot === undefined ? {} : { snapshot }),
      mustSync: entries.length > 0 || hard.term !== previous.term || hard.vote !== previous.vote,
      entries,
      committed,
    };
    const messages = this.options.asyncStorage
      ? this.#asyncMessages(ready)
      : [...this.#immediate, ...this.#waiting.filter((message) => message.to !== this.id)];
    this.#immediate = [];
    this.#waiting = [];
    this.#previousSoft = soft;
    this.#previousHard = hard;
    this.#readyGroup = this.#group;
    this.#unstable.acceptInProgress();
    this.#cursor.handOut(committed, this.#appliableIndex());
    return { ...ready, messages };
  }

  #acceptSnapshot(index: LogIndex): void {
    this.#unstable.stableSnapshotTo(index);
    this.#cursor.jump(index);
    this.#handedOut = Math.max(this.#handedOut, index);
  }

  #asyncMessages(ready: Omit<Ready, 'messages'>): readonly WireMessage[] {
    const messages = [...this.#immediate];
    const { hardState, snapshot, entries, committed } = ready;
    const hasStorageWork =
      hardState !== undefined ||
      snapshot !== undefined ||
      entries.length > 0 ||
      this.#waiting.length > 0;
    if (hasStorageWork) {
      const { term, lastIndex, lastTerm } = this.#view;
      const position = { id: this.id, term, lastIndex, lastTerm, group: this.#group };
      const hasUnstable = this.#unstable.hasAny;
      messages.push(storageAppend({ ...position, hasUnstable }, ready, this.#waiting));
    }
    if (committed.length > 0) messages.push(storageApply(this.id, committed));
    return messages;
  }

  /** Writes what a Ready (or the append thread's message) holds to the storage. */
  store(
    hardState: HardState | undefined,
    snapshot: SnapshotMeta | undefined,
    entries: readonly Entry[],
  ): void {
    if (hardState !== undefined) this.storage.saveHardState(hardState);
    if (snapshot !== undefined && entries.length > 0) {
      throw new Error("can't apply snapshot and entries at the same time");
    }
    if (snapshot !== undefined) this.storage.install(snapshot);
    this.storage.append(entries);
  }

  /**
   * The synchronous driver's turn after a Ready is stored: apply, then tell the core what is durable.
   *
   * etcd applies before it steps its own votes and acknowledgements. It may also show committed entries
   * that are being written in the same Ready; our core hands those out once they are durable.
   */
  advance(ready: Ready): void {
    const handedOut = this.#handedOut;
    const group = this.#readyGroup;
    const first = ready.committed.filter((entry) => entry.index <= handedOut);
    this.applyEntries(first);
    const last = ready.entries.at(-1);
    if (last !== undefined) this.#unstable.stableTo(last.index, last.term);
    if (group > 0) this.step({ type: 'persisted', group });
    if (ready.snapshot !== undefined) this.#acceptSnapshot(ready.snapshot.index);
    this.applyEntries(ready.committed.slice(first.length));
    this.#cursor.acknowledge(ready.committed);
  }

  /** Applies entries to the state machine, one by one, so that each has its snapshot and configuration. */
  applyEntries(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(
        entry.index <= this.#handedOut,
        () => `entry ${entry.index} is not handed out (only through ${this.#handedOut})`,
      );
      this.step({ type: 'applied', index: entry.index });
      this.#recordApplied({ index: entry.index, term: entry.term, confState: this.confState });
    }
  }

  /** The state machine's newest state is on offer as a snapshot; nothing is compacted. */
  #recordApplied(snapshot: SnapshotMeta): void {
    this.storage.recordApplied(snapshot);
    this.step({
      type: 'snapshotTaken',
      snapshotIndex: snapshot.index,
      compactIndex: this.storage.firstIndex - 1,
      confState: snapshot.confState,
    });
  }

  /** Forgets log entries through `index`. */
  compact(index: LogIndex): void {
    this.storage.compact(index);
    const newest = this.storage.newestSnapshot;
    this.step({
      type: 'snapshotTaken',
      snapshotIndex: newest.index,
      compactIndex: index,
      confState: newest.confState,
    });
  }

  get confState(): ConfState {
    return this.#view.confState;
  }
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}
