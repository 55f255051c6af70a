import { type RaftConfig, type RaftInitialState, resolveConfig } from './config.ts';
import { drain, NO_EFFECTS } from './drain.ts';
import type { Effect, Role } from './effect.ts';
import type { ConfState, Entry, LogIndex, NodeId, Term, Token } from './entry.ts';
import { initialState } from './initial.ts';
import type { Input } from './input.ts';
import { checkState } from './invariants.ts';
import { Outbox } from './outbox.ts';
import type { RaftState } from './state.ts';
import { keyOf } from './state-key.ts';
import { peerProgress, type PeerProgress, type RaftStatus, statusOf } from './status.ts';
import { stepInput } from './step-input.ts';
import type { TraceSink } from './trace.ts';

/** What a core may be given besides its configuration. */
export interface RaftOptions {
  /** Takes an event for each decision. @defaultValue none */
  readonly trace?: TraceSink;
}

/**
 * One node of a Raft cluster: inputs in, effects out (thesis §3; etcd-io/raft's RawNode).
 *
 * The core does nothing by itself: it has no clock, disk, network or randomness. It never throws but in its
 * constructor: what it cannot do it refuses with a reason; what cannot be it reports as a notice; a broken
 * invariant stops it with a halt effect, after which it refuses everything.
 *
 * Nothing is kept back between two calls: what the inputs of a call ask for is in the effects that it returns.
 * Stepping more inputs in one call therefore saves writes, messages and read rounds.
 */
export class RaftCore {
  #state: RaftState;

  /** @throws RangeError when the configuration or the initial state contradicts itself. */
  constructor(config: RaftConfig, initial: RaftInitialState, options: RaftOptions = {}) {
    this.#state = initialState(resolveConfig(config), initial, options.trace);
  }

  /** Takes one input. */
  step(input: Input): readonly Effect[] {
    const raft = this.#state;
    if (raft.haltReason !== undefined) return refuseAll(raft, [input]);
    try {
      stepInput(raft, input);
      return drain(raft);
    } catch (error) {
      return halt(raft, error, [input]);
    }
  }

  /** Takes inputs in order; their effects are drained once. */
  stepAll(inputs: readonly Input[]): readonly Effect[] {
    const raft = this.#state;
    if (raft.haltReason !== undefined) return refuseAll(raft, inputs);
    try {
      for (const input of inputs) stepInput(raft, input);
      return drain(raft);
    } catch (error) {
      return halt(raft, error, inputs);
    }
  }

  /** A copy of what this node is. */
  status(): RaftStatus {
    return statusOf(this.#state);
  }

  /** A copy of what this node knows of each member as leader, itself included, ascending by id; else empty. */
  progress(): readonly PeerProgress[] {
    return this.#state.role === 'leader' ? this.#state.peers.map(peerProgress) : [];
  }

  get id(): NodeId {
    return this.#state.id;
  }

  get role(): Role {
    return this.#state.role;
  }

  get term(): Term {
    return this.#state.term;
  }

  /** The leader of the term as far as known; {@link NO_NODE} for none. */
  get leader(): NodeId {
    return this.#state.leader;
  }

  /** The configuration in force. */
  get confState(): ConfState {
    return this.#state.conf;
  }

  get commit(): LogIndex {
    return this.#state.log.commit;
  }

  get applied(): LogIndex {
    return this.#state.log.applied;
  }

  get firstIndex(): LogIndex {
    return this.#state.log.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#state.log.lastIndex;
  }

  /** The entry at `index`; undefined when the log does not hold it. */
  entryAt(index: LogIndex): Entry | undefined {
    return this.#state.log.entryAt(index);
  }

  /** True when the node is in the configuration in force. */
  tracks(id: NodeId): boolean {
    return this.#state.peer(id) !== undefined;
  }

  /** Entries from `from` through `to`, as far as the log holds them. */
  entries(from: LogIndex, to: LogIndex): readonly Entry[] {
    const { log } = this.#state;
    return log.slice(Math.max(from, log.firstIndex), to);
  }

  /** The term of an entry; undefined when the log does not know it. */
  termAt(index: LogIndex): Term | undefined {
    return this.#state.log.termAt(index);
  }

  /**
   * Campaigns after `ticks` without a leader, until the next draw. For tests that need to know who stands first.
   *
   * @throws RangeError when it is not an integer above 0.
   */
  setElectionTimeout(ticks: number): void {
    if (!Number.isSafeInteger(ticks) || ticks < 1) {
      throw new RangeError(`election timeout must be an integer above 0: ${ticks}`);
    }
    this.#state.electionTimeout = ticks;
  }

  /** An equal core that goes its own way from here; without trace. */
  clone(): RaftCore {
    const { config } = this.#state;
    const copy = new RaftCore(config, EMPTY_START);
    copy.#state = this.#state.clone();
    return copy;
  }

  /** The whole state as text: two cores with equal keys behave alike from here on. */
  stateKey(): string {
    return keyOf(this.#state);
  }

  /**
   * Checks everything that always holds between two steps; O(log length). For tests and simulations.
   *
   * @throws InvariantError naming what is broken.
   */
  checkInvariants(): void {
    checkState(this.#state);
  }
}

const EMPTY_START: RaftInitialState = {
  hardState: { term: 0, vote: 0n, commit: 0 },
  snapshotIndex: 0,
  snapshotTerm: 0,
  confState: { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  entries: [],
  applied: 0,
};

function tokensOf(input: Input): readonly Token[] {
  switch (input.type) {
    case 'propose':
      return input.proposals.map((proposal) => proposal.token);
    case 'changeConfig':
    case 'read':
    case 'transfer':
      return [input.token];
    default:
      return [];
  }
}

/** A stopped core refuses requests and ignores everything else. */
function refuseAll(raft: RaftState, inputs: readonly Input[]): readonly Effect[] {
  const effects: Effect[] = [];
  for (const token of inputs.flatMap(tokensOf)) {
    const outcome = { kind: 'refused', reason: 'stopped', leader: raft.leader } as const;
    effects.push({ type: 'outcome', token, outcome });
  }
  return effects.length === 0 ? NO_EFFECTS : effects;
}

/**
 * Stops the core: nothing that the broken call began leaves it, but every token gets its answer.
 *
 * What was proposed may be committed by others: it ends as unknown.
 */
function halt(raft: RaftState, error: unknown, inputs: readonly Input[]): readonly Effect[] {
  const reason = error instanceof Error ? error.message : String(error);
  raft.haltReason = reason;
  const out = new Outbox();
  out.outcomes = raft.out.outcomes;
  raft.out = out;
  raft.outcomes.abandon((token, outcome) => out.report(token, outcome));
  for (const { token } of raft.forwards.takeSentBy(raft.tickCount)) {
    out.report(token, { kind: 'unknown', index: 0, term: raft.term });
  }
  const stopped = { kind: 'refused', reason: 'stopped', leader: raft.leader } as const;
  const waiting: Token[] = [...raft.freshReads, ...raft.freshForwards.map(({ token }) => token)];
  for (const tokens of raft.sentReads.takeSentBy(raft.tickCount))
    for (const token of tokens) waiting.push(token);
  for (const reader of raft.reads.takeAll()) if (reader.kind === 'own') waiting.push(reader.token);
  if (raft.transfer !== undefined) waiting.push(raft.transfer.token);
  for (const token of waiting) out.report(token, stopped);
  const answered = new Set(out.outcomes.map((outcome) => outcome.token));
  for (const token of inputs.flatMap(tokensOf))
    if (!answered.has(token)) out.report(token, stopped);
  const effects: Effect[] = [...out.outcomes, { type: 'halt', reason }];
  raft.out = new Outbox();
  return effects;
}
