/**
 * The Raft engine's driver: it feeds a RaftCore with what happens and does what the core asks for.
 *
 * One turn of the event loop is one step of the core: proposals, messages, ticks and completions that came in are
 * stepped together, so that they share one write, one sync, one message per follower and one read round.
 *
 * What always holds
 * - Effects are done in the order in which the core gave them (see the driver's contract in `@etcd-ts/raft`).
 * - A message that depends on a write leaves only when that write is durable; the others leave in the turn itself.
 * - The core is never stepped from within a step.
 * - After the first failure of the disk or a broken invariant nothing is written, sent or applied any more.
 */
import { assert, memberId } from '@etcd-ts/base';
import type {
  ConfigChange,
  Effect,
  Input,
  LogIndex,
  Message,
  NodeId,
  PersistEffect,
  Proposal,
  RaftCore,
  SendSnapshotEffect,
  SnapshotMessage,
  SnapshotMeta,
  Term,
  Token,
} from '@etcd-ts/raft';
import type { Wal } from '@etcd-ts/wal';
import type { Clock, Timer } from '../clock.ts';
import type { Logger } from '../logger.ts';
import type { PeerTransport } from '../peers/peer-transport.ts';
import { whileWanted } from '../snapshot/snapshot-source.ts';
import type { Consensus, ConsensusHost, ConsensusStatus, FollowerProgress } from './consensus.ts';
import { DurableMessages } from './durable-messages.ts';
import { LogGroups } from './log-groups.ts';
import { LogHolds } from './log-holds.ts';
import { SnapshotOffers } from './snapshot-offers.ts';

/** Bytes waiting for the disk beyond which appends of the leader are let fall; it sends them again. */
export const MAX_LOG_BACKLOG_BYTES: number = 64 * 1024 * 1024;

/** What the engine is made of. */
export interface RaftConsensusParts {
  readonly core: RaftCore;
  readonly wal: Wal;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds of a Raft tick. */
  readonly tickMs: number;
  /**
   * Ticks that count as passed at the start, so that a cluster that has no leader need not wait a whole election timeout
   * for one (etcd --initial-election-tick-advance). One that has a leader is not disturbed: it ignores pre-votes.
   */
  readonly advanceTicks: number;
}

const TICK: Input = { type: 'tick' };

/** Consensus by Raft. */
export class RaftConsensus implements Consensus {
  readonly #core: RaftCore;
  readonly #wal: Wal;
  readonly #transport: PeerTransport;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #tickMs: number;
  readonly #advanceTicks: number;
  readonly #snapshots: SnapshotOffers;
  readonly #groups: LogGroups;
  readonly #holds: LogHolds = new LogHolds();
  readonly #durable: DurableMessages = new DurableMessages();
  #host: ConsensusHost | undefined;
  #inputs: Input[] = [];
  #proposals: Proposal[] = [];
  #scheduled = false;
  #isInTurn = false;
  /** Through where this turn's page was applied, as long as the core does not know. */
  #appliedInTurn: LogIndex | undefined;
  #ended = false;
  #timer: Timer | undefined;
  #nextTickMs = 0;
  /** What the core says of itself; forgotten with every step. */
  #status: ConsensusStatus | undefined;

  constructor(parts: RaftConsensusParts) {
    this.#core = parts.core;
    this.#wal = parts.wal;
    this.#transport = parts.transport;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#tickMs = parts.tickMs;
    this.#advanceTicks = parts.advanceTicks;
    this.#snapshots = new SnapshotOffers();
    this.#groups = new LogGroups({
      wal: parts.wal,
      install: (snapshot) => this.#running().installSnapshot(snapshot),
      persisted: (effect) => this.#persisted(effect),
      failed: (error) => this.#fail(error),
    });
  }

  start(host: ConsensusHost): void {
    assert(this.#host === undefined, 'the engine was started twice');
    this.#host = host;
    this.#nextTickMs = this.#clock.monotonicMs() + this.#tickMs;
    this.#armTick();
    for (let tick = 0; tick < this.#advanceTicks; tick++) this.#inputs.push(TICK);
    // What was committed before the restart is handed out by the first step.
    this.#schedule();
  }

  status(): ConsensusStatus {
    this.#status ??= this.#readStatus();
    return this.#status;
  }

  progress(): readonly FollowerProgress[] {
    return this.#core
      .progress()
      .map(({ id, match, recentActive }) => ({ id, matchIndex: match, active: recentActive }));
  }

  propose(token: Token, data: Uint8Array): void {
    this.#proposals.push({ token, data });
    this.#schedule();
  }

  changeConfig(token: Token, change: ConfigChange, inTerm: Term): void {
    this.#input({ type: 'changeConfig', token, change, inTerm });
  }

  readIndex(token: Token): void {
    this.#input({ type: 'read', token });
  }

  transferLeadership(token: Token, target: NodeId): void {
    this.#input({ type: 'transfer', token, target });
  }

  campaign(): void {
    this.#input({ type: 'campaign' });
  }

  /** What a turn applies the core learns at the end of that turn: most of the time it has nothing to say to it. */
  applied(index: LogIndex): void {
    if (this.#isInTurn) this.#appliedInTurn = index;
    else this.#input({ type: 'applied', index });
  }

  compact(mark: SnapshotMeta, mayCompactIndex: LogIndex): LogIndex {
    if (this.#ended) return 0;
    const nowMs = this.#clock.monotonicMs();
    const compactIndex = this.#holds.limit(mayCompactIndex, this.progress(), nowMs);
    const done = (error: Error | undefined): void => {
      if (error !== undefined) return this.#fail(error);
      if (this.#ended) return;
      const { index, confState } = mark;
      this.#input({ type: 'snapshotTaken', snapshotIndex: index, compactIndex, confState });
      void this.#release(compactIndex);
    };
    this.#wal.write({ snapshot: mark, entries: [] }, true, done);
    return compactIndex;
  }

  /** Messages of peers. */
  receive(messages: readonly Message[]): void {
    if (this.#ended) return;
    for (const message of messages) {
      if (!this.#isTooMuch(message)) this.#inputs.push({ type: 'message', message });
    }
    this.#schedule();
  }

  /** Messages to this peer are being lost. */
  unreachable(peer: NodeId): void {
    this.#input({ type: 'unreachable', peer });
  }

  /**
   * A snapshot of the leader: its content first, then the message for the core. A node that is past it already needs no
   * content, but its core says how far it is: a leader that is not told sends snapshots for ever.
   *
   * @throws Error when another one is being received, or when this node is past it already, or ends meanwhile.
   */
  async receiveSnapshot(
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const host = this.#running();
    const { term, commit } = this.#core.status();
    const { index } = message.snapshot;
    if (message.term < term || index <= commit) {
      if (message.term >= term) this.#input({ type: 'message', message });
      throw new Error(
        `snapshot at index ${index} of term ${message.term} is behind this member (commit ${commit}, term ${term})`,
      );
    }
    await this.#snapshots.receive(message.snapshot, () =>
      host.receiveSnapshot(message.snapshot, whileWanted(chunks, this.#snapshots.signal)),
    );
    this.#running();
    this.#snapshots.offer(message.snapshot);
    this.#input({ type: 'message', message });
  }

  async stop(): Promise<void> {
    this.#end();
    await this.#wal.close();
  }

  kill(): void {
    this.#end();
  }

  /** The disk does not keep up: entries are let fall. */
  #isTooMuch(message: Message): boolean {
    if (message.type !== 'append' || message.entries.length === 0) return false;
    return this.#wal.pendingBytes > MAX_LOG_BACKLOG_BYTES;
  }

  #readStatus(): ConsensusStatus {
    const { role, leader, term, commit, lastIndex, firstIndex } = this.#core.status();
    return { role, leader, term, committedIndex: commit, lastIndex, firstIndex };
  }

  #running(): ConsensusHost {
    if (this.#ended || this.#host === undefined) throw new Error('the engine is not running');
    return this.#host;
  }

  #end(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#inputs = [];
    this.#proposals = [];
    this.#snapshots.end();
    this.#groups.end();
  }

  #input(input: Input): void {
    if (this.#ended) return;
    this.#inputs.push(input);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended || this.#host === undefined) return;
    this.#scheduled = true;
    this.#clock.soon(this.#onTurn);
  }

  /** Ticks keep their pace over small delays; those missed while the loop was held up are not made up for. */
  #armTick(): void {
    const now = this.#clock.monotonicMs();
    const delayMs = Math.max(0, this.#nextTickMs - now);
    this.#timer = this.#clock.after(delayMs, this.#onTick);
  }

  readonly #onTick = (): void => {
    if (this.#ended) return;
    this.#nextTickMs = Math.max(this.#nextTickMs, this.#clock.monotonicMs() - this.#tickMs);
    this.#nextTickMs += this.#tickMs;
    this.#input(TICK);
    this.#armTick();
  };

  readonly #onTurn = (): void => this.#turn();

  #turn(): void {
    this.#scheduled = false;
    if (this.#ended) return;
    this.#running().stepping();
    const inputs = this.#inputs;
    if (this.#proposals.length > 0) {
      inputs.push({ type: 'propose', proposals: this.#proposals });
      this.#proposals = [];
    }
    this.#inputs = [];
    this.#isInTurn = true;
    try {
      if (!this.#durable.isEmpty) this.#transport.send(this.#durable.take());
      this.#step(inputs);
      this.#acknowledgeApplied();
      if (this.#ended) return;
      const unwanted = this.#snapshots.takeUnused();
      if (unwanted !== undefined) this.#running().discardSnapshot(unwanted);
      this.#transport.flush();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#isInTurn = false;
    }
  }

  #step(inputs: readonly Input[]): void {
    this.#status = undefined;
    const effects = this.#core.stepAll(inputs);
    // Not a `for of`: the shared empty list is of another kind, on which the engine does that slowly.
    for (let i = 0; i < effects.length; i++) {
      this.#perform(effects[i] as Effect);
      if (this.#ended) return;
    }
  }

  /** One page a turn: where another one waits, whatever else came in goes first. */
  #acknowledgeApplied(): void {
    const index = this.#appliedInTurn;
    this.#appliedInTurn = undefined;
    if (index === undefined || this.#ended) return;
    const input: Input = { type: 'applied', index };
    if (this.#core.commit > index) this.#input(input);
    else this.#step([input]);
  }

  #perform(effect: Effect): void {
    const host = this.#running();
    switch (effect.type) {
      case 'send':
        return this.#transport.send(effect.messages);
      case 'persist':
        return this.#persist(effect);
      case 'apply':
        return host.apply(effect.entries);
      case 'outcome':
        return host.outcome(effect.token, effect.outcome);
      case 'role':
        return host.statusChanged(this.status());
      case 'sendSnapshot':
        void this.#sendSnapshot(effect);
        return;
      case 'config':
        return;
      case 'notice':
        this.#log.warn(`raft: ${effect.detail}`, { code: effect.code, peer: effect.peer });
        return;
      case 'halt':
        return this.#fail(new Error(`consensus stopped: ${effect.reason}`));
    }
  }

  #persist(effect: PersistEffect): void {
    if (effect.snapshot !== undefined) this.#snapshots.use(effect.snapshot);
    this.#holds.appended(effect.entries);
    this.#groups.write(effect);
  }

  #persisted({ group, messages, mustSync }: PersistEffect): void {
    this.#durable.push(messages);
    const input: Input = { type: 'persisted', group };
    // Nothing waits for a commit index: the core learns of it with whatever comes next.
    if (mustSync) this.#input(input);
    else if (!this.#ended) this.#inputs.push(input);
  }

  async #sendSnapshot(effect: SendSnapshotEffect): Promise<void> {
    const { to, term, session } = effect;
    let index = effect.snapshot.index;
    let ok = false;
    this.#holds.begin(to, index);
    try {
      const source = await this.#running().takeSnapshot();
      try {
        index = source.meta.index;
        this.#holds.taken(to, index);
        const from = this.#core.status().id;
        const message: SnapshotMessage = {
          type: 'snapshot',
          from,
          to,
          term,
          session,
          snapshot: source.meta,
        };
        const fields = { to: memberId(to), index, term };
        this.#log.info('sending database snapshot', fields);
        await this.#transport.sendSnapshot(message, source.chunks, this.#snapshots.signal);
        this.#log.info('sent database snapshot', fields);
        ok = true;
      } finally {
        await source.close();
      }
    } catch (error) {
      this.#log.warn('failed to send database snapshot', { to: memberId(to), index, error });
    }
    if (ok) this.#holds.sent(to, this.#clock.monotonicMs(), this.#core.status().lastIndex);
    else this.#holds.failed(to);
    this.#input({ type: 'snapshotReport', to, index, ok });
  }

  async #release(compactIndex: LogIndex): Promise<void> {
    try {
      await this.#wal.release(compactIndex);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(reason: Error): void {
    if (this.#ended) return;
    this.#end();
    this.#host?.stopped(reason);
  }
}
