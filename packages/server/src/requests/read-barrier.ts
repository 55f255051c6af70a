/**
 * Linearizable reads: each waits until this node has applied whatever was committed anywhere when it came.
 *
 * All that come within one turn share one round (thesis §6.4). A round that gets no answer is asked again every
 * 500 ms; an election fails it, as in etcd (server/etcdserver/v3_server.go, linearizableReadLoop), and the client
 * repeats the read.
 */
import { type Deferred, deferred } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { LogIndex, NodeId, Outcome } from '@etcd-ts/raft';
import type { Consensus } from '../consensus/consensus.ts';
import type { ServerLimits } from '../limits.ts';
import { abandon, abortError } from './abort.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import type { Tokens } from './tokens.ts';

/** A read round without answer is asked again after so long (etcd's readIndexRetryTime). */
export const READ_RETRY_MS = 500;

/** Reads that may wait at one time; beyond it: TOO_MANY_REQUESTS. */
export const MAX_WAITING_READS = 65_536;

/** What the barrier is made of. */
export interface ReadBarrierParts {
  readonly consensus: Pick<Consensus, 'readIndex'>;
  readonly deadlines: Deadlines;
  readonly tokens: Tokens;
  readonly limits: ServerLimits;
  readonly appliedIndex: () => LogIndex;
  /** A round ended without an index. */
  readonly failed?: () => void;
  /** A round without an answer is asked again. */
  readonly askedAgain?: () => void;
}

/** The reads of one turn. */
class Round implements Expiring {
  readonly gate: Deferred<void> = deferred();
  /** Of the newest question; answers to earlier ones count as well. */
  readonly tokens: number[] = [];
  waiting = 0;
  /** Known once the leader has answered. */
  index: LogIndex | undefined;
  readonly #onExpire: (round: Round) => void;

  constructor(onExpire: (round: Round) => void) {
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire(this);
  }
}

/** Asks a round's question again. */
class Retry implements Expiring {
  readonly round: Round;
  readonly #onExpire: (round: Round) => void;

  constructor(round: Round, onExpire: (round: Round) => void) {
    this.round = round;
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire(this.round);
  }
}

/** The linearizable reads of one node. */
export class ReadBarrier {
  readonly #parts: ReadBarrierParts;
  readonly #rounds = new Set<Round>();
  readonly #byToken = new Map<number, Round>();
  readonly #retries = new Map<Round, Retry>();
  /**
   * The round that reads of this turn join.
   *
   * Invariant: the engine has not yet looked at its question, so the index it gives covers everything acknowledged
   * before any of them came.
   */
  #open: Round | undefined;
  #waiting = 0;
  #leader: NodeId = 0n;
  #stopped = false;

  constructor(parts: ReadBarrierParts) {
    this.#parts = parts;
  }

  /** Reads without an answer. */
  get count(): number {
    return this.#waiting;
  }

  /** See NodePort.readBarrier. */
  wait(signal?: AbortSignal): Promise<void> {
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED', { mayHaveApplied: false }));
    if (signal?.aborted === true) return Promise.reject(abortError(signal, false));
    if (this.#waiting >= MAX_WAITING_READS) {
      const detail = `${this.#waiting} reads wait, the limit is ${MAX_WAITING_READS}`;
      return Promise.reject(new EtcdError('TOO_MANY_REQUESTS', { detail }));
    }
    const round = this.#open ?? this.#begin();
    this.#waiting += 1;
    round.waiting += 1;
    return signal === undefined ? round.gate.promise : abandon(round.gate.promise, signal);
  }

  /** The engine begins a turn: what comes from now on belongs to the next round. */
  stepping(): void {
    this.#open = undefined;
  }

  /** What the engine says of a round. Unknown tokens are passed over. */
  outcome(token: number, outcome: Outcome): void {
    const round = this.#byToken.get(token);
    if (round === undefined) return;
    this.#byToken.delete(token);
    if (outcome.kind === 'readable') {
      round.index = Math.min(round.index ?? Number.POSITIVE_INFINITY, outcome.index);
      if (round.index <= this.#parts.appliedIndex()) this.#end(round);
      return;
    }
    if (outcome.kind !== 'refused') return;
    if (outcome.reason === 'full') {
      this.#end(
        round,
        new EtcdError('TOO_MANY_REQUESTS', { detail: 'too many reads wait at the leader' }),
      );
    } else if (outcome.reason === 'stopped') {
      this.#end(round, new EtcdError('STOPPED', { mayHaveApplied: false }));
    }
    // Anything else passes; the retry asks again.
  }

  /** More is applied: rounds that waited for it end. */
  applied(index: LogIndex): void {
    if (this.#rounds.size === 0) return;
    for (const round of this.#rounds) {
      if (round.index !== undefined && round.index <= index) this.#end(round);
    }
  }

  /** The known leader changed; a new one fails the rounds that the old one has not answered. */
  leaderChanged(leader: NodeId): void {
    if (leader === 0n || leader === this.#leader) return;
    const first = this.#leader === 0n;
    this.#leader = leader;
    for (const round of this.#rounds) {
      if (round.index !== undefined) continue;
      if (first) this.#ask(round);
      else this.#end(round, new EtcdError('LEADER_CHANGED'));
    }
  }

  /** The node ends: every caller is told, and later ones are refused. */
  stop(): void {
    this.#stopped = true;
    for (const round of this.#rounds) {
      this.#end(round, new EtcdError('STOPPED', { mayHaveApplied: false }));
    }
  }

  #begin(): Round {
    const { deadlines, limits } = this.#parts;
    const round = new Round((late) =>
      this.#end(late, new EtcdError('TIMEOUT', { mayHaveApplied: false })),
    );
    // Reads that nobody waits for any more must not become unhandled rejections.
    round.gate.promise.catch(() => undefined);
    this.#rounds.add(round);
    this.#open = round;
    deadlines.add(round, limits.requestTimeoutMs);
    this.#ask(round);
    return round;
  }

  #ask(round: Round): void {
    const { consensus, deadlines, tokens } = this.#parts;
    const token = tokens.next();
    round.tokens.push(token);
    this.#byToken.set(token, round);
    consensus.readIndex(token);
    const previous = this.#retries.get(round);
    if (previous !== undefined) deadlines.remove(previous);
    const retry = new Retry(round, (unanswered) => {
      this.#retries.delete(unanswered);
      if (unanswered.index !== undefined) return;
      this.#parts.askedAgain?.();
      this.#ask(unanswered);
    });
    this.#retries.set(round, retry);
    deadlines.add(retry, READ_RETRY_MS);
  }

  #end(round: Round, error?: EtcdError): void {
    const { deadlines } = this.#parts;
    this.#rounds.delete(round);
    if (this.#open === round) this.#open = undefined;
    for (const token of round.tokens) this.#byToken.delete(token);
    const retry = this.#retries.get(round);
    if (retry !== undefined) deadlines.remove(retry);
    this.#retries.delete(round);
    deadlines.remove(round);
    this.#waiting -= round.waiting;
    if (error === undefined) return round.gate.resolve();
    this.#parts.failed?.();
    round.gate.reject(error);
  }
}
