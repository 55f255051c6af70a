/**
 * Commands of this node's callers on their way through the log.
 *
 * ```
 *            ┌── refused for now, lost ──┐
 *            ▼                           │
 *  propose ▶ waiting ── leader known ▶ handed over ── accepted ▶ (committed) ▶ applied here: the answer
 *            ▲                           └── unknown ▶ adrift ── applied here all the same: the answer
 *            └─────── a newer term is applied ◀─────────┘
 * ```
 *
 * What always holds
 * - A command is handed over again only when no copy of it can be committed any more: nothing is applied twice.
 *   A command that was handed over in term T is in a log, if at all, as an entry of term T, for the leader of T alone
 *   takes it (the core drops messages of older terms). Terms never decrease along the log. So where an entry of a newer
 *   term is applied here, and the command was not applied before it, it never will be.
 * - A snapshot hides what was applied: what was handed over before one is never handed over again.
 * - The answer comes from applying the entry, in the turn in which it is applied, wherever it was proposed through.
 * - A caller that is told "certainly nothing happened" (`mayHaveApplied` false) can rely on it.
 * - Count and bytes are bounded; beyond, TOO_MANY_REQUESTS. Everything ends within the request timeout.
 */
import { assert } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { LogIndex, Outcome, Term } from '@etcd-ts/raft';
import type { CommandCodec } from '../apply/command-codec.ts';
import type { Command, CommandResult } from '../apply/command.ts';
import type { Consensus } from '../consensus/consensus.ts';
import type { ServerLimits } from '../limits.ts';
import { abortError } from './abort.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import type { Tokens } from './tokens.ts';

/** Bytes that a waiting proposal costs beside its entry; so that many small ones are bounded too. */
const PROPOSAL_OVERHEAD_BYTES = 256;

/** What the queue is made of. */
export interface ProposalParts {
  readonly consensus: Pick<Consensus, 'propose' | 'status'>;
  readonly codec: CommandCodec;
  readonly deadlines: Deadlines;
  readonly tokens: Tokens;
  readonly limits: ServerLimits;
  readonly appliedIndex: () => LogIndex;
  /** A proposal ended without the result of applying it. */
  readonly failed?: () => void;
}

/**
 * `waiting`: in no log that counts. `handedOver`: may be in one. `adrift`: the same, and the engine follows it no more.
 * `hidden`: the same, and a snapshot may hold it.
 */
type Stage = 'waiting' | 'handedOver' | 'adrift' | 'hidden';

/** One proposal. As small as it can be: there are many. */
class Pending implements Expiring {
  readonly queue: Proposals;
  readonly token: number;
  readonly command: Command;
  readonly data: Uint8Array;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: EtcdError) => void;
  stage: Stage = 'waiting';
  /** The term in which it was handed over; unknown until the engine has looked at it. */
  term: Term | undefined = undefined;
  onAbort: (() => void) | undefined = undefined;

  constructor(
    queue: Proposals,
    entry: { readonly token: number; readonly command: Command; readonly data: Uint8Array },
    answer: Pick<Pending, 'resolve' | 'reject'>,
  ) {
    this.queue = queue;
    this.token = entry.token;
    this.command = entry.command;
    this.data = entry.data;
    this.resolve = answer.resolve;
    this.reject = answer.reject;
  }

  expire(): void {
    this.queue.expired(this);
  }
}

/** The proposals of one node. */
export class Proposals {
  readonly #parts: ProposalParts;
  readonly #pending = new Map<number, Pending>();
  /** Invariant: exactly the pending ones of stage `waiting`, in the order of their arrival. */
  readonly #waiting = new Set<Pending>();
  /** Handed over since the engine began its turn: it looks at them in the next one. */
  #fresh: Pending[] = [];
  /** What the engine looks at in its turn; the term in which it does so is known when the turn is over. */
  #inTurn: Pending[] = [];
  /** The newest term of which an entry was applied here. */
  #appliedTerm: Term = 0;
  #bytes = 0;
  #stopped: EtcdError | undefined;

  constructor(parts: ProposalParts) {
    this.#parts = parts;
  }

  /** Proposals without an answer. */
  get count(): number {
    return this.#pending.size;
  }

  /** See NodePort.propose. */
  propose(command: Command, raw?: Uint8Array, signal?: AbortSignal): Promise<CommandResult> {
    const { codec, tokens, limits, deadlines } = this.#parts;
    const refusal = this.#refusal(signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    const token = tokens.next();
    const data = codec.encode(token, command, raw);
    if (data.length > limits.maxRequestBytes) {
      const detail = `${data.length} bytes, the limit is ${limits.maxRequestBytes}`;
      return Promise.reject(new EtcdError('REQUEST_TOO_LARGE', { detail }));
    }
    return new Promise((resolve, reject) => {
      const pending = new Pending(this, { token, command, data }, { resolve, reject });
      this.#pending.set(token, pending);
      this.#bytes += data.length + PROPOSAL_OVERHEAD_BYTES;
      deadlines.add(pending, limits.requestTimeoutMs);
      if (signal !== undefined) this.#listen(pending, signal);
      this.#handOver(pending);
    });
  }

  /** The command of a proposal of this node that is still waited for: it need not be decoded again. */
  commandOf(token: number): Command | undefined {
    return this.#pending.get(token)?.command;
  }

  /** The entry was applied here. */
  applied(token: number, result: CommandResult | EtcdError): void {
    const pending = this.#pending.get(token);
    if (pending === undefined) return;
    this.#forget(pending);
    if (EtcdError.is(result)) pending.reject(result);
    else pending.resolve(result);
  }

  /** What the engine says of a proposal. Unknown tokens are passed over: answered or abandoned already. */
  outcome(token: number, outcome: Outcome): void {
    const pending = this.#pending.get(token);
    if (pending === undefined) return;
    switch (outcome.kind) {
      case 'accepted':
      case 'committed':
        return;
      case 'unknown':
        return this.#castAdrift(pending);
      case 'lost':
        // Another entry took its place for ever: no copy is left, so it may be proposed anew.
        return pending.stage === 'hidden' ? undefined : this.#handOver(pending);
      case 'refused':
        return pending.stage === 'hidden' ? undefined : this.#refused(pending, outcome);
      case 'readable':
      case 'transferred':
        assert(false, `a proposal's outcome is ${outcome.kind}`);
    }
  }

  /**
   * The engine begins a turn. What it looked at in the turn before went out in the term that it then came to, which may
   * be newer than the one in which the turn began: messages of that turn come before its proposals.
   */
  stepping(): void {
    if (this.#inTurn.length > 0) {
      const { term } = this.#parts.consensus.status();
      for (const pending of this.#inTurn) pending.term = term;
    }
    this.#inTurn = this.#fresh;
    this.#fresh = [];
  }

  /** An entry of this term was applied here: what is adrift from before it is lost, and handed over again. */
  termApplied(term: Term): void {
    if (term <= this.#appliedTerm) return;
    this.#appliedTerm = term;
    for (const pending of this.#pending.values()) {
      if (pending.stage === 'adrift') this.#castAdrift(pending);
    }
  }

  /** The state jumped over entries that were never seen here. */
  snapshotInstalled(): void {
    for (const pending of this.#pending.values()) {
      if (pending.stage !== 'waiting') pending.stage = 'hidden';
    }
  }

  /** A leader is known: what waits for one is handed over. */
  leaderKnown(): void {
    for (const pending of this.#waiting) this.#handOver(pending);
  }

  /** The node ends: every caller is told, and later ones are refused. */
  stop(): void {
    this.#stopped = new EtcdError('STOPPED', { mayHaveApplied: false });
    for (const pending of this.#pending.values()) {
      const mayHaveApplied = pending.stage !== 'waiting';
      this.#fail(pending, new EtcdError('STOPPED', { mayHaveApplied }));
    }
  }

  #refusal(signal: AbortSignal | undefined): EtcdError | undefined {
    const { limits, consensus, appliedIndex } = this.#parts;
    if (this.#stopped !== undefined) return this.#stopped;
    if (signal?.aborted === true) return abortError(signal, false);
    if (this.#pending.size >= limits.maxPendingProposals) {
      const detail = `${this.#pending.size} proposals wait, the limit is ${limits.maxPendingProposals}`;
      return new EtcdError('TOO_MANY_REQUESTS', { detail });
    }
    if (this.#bytes >= limits.maxPendingProposalBytes) {
      const detail = `proposals of ${this.#bytes} bytes wait, the limit is ${limits.maxPendingProposalBytes}`;
      return new EtcdError('TOO_MANY_REQUESTS', { detail });
    }
    const gap = consensus.status().committedIndex - appliedIndex();
    if (gap > limits.maxCommitApplyGap) {
      const detail = `${gap} committed entries wait to be applied, the limit is ${limits.maxCommitApplyGap}`;
      return new EtcdError('TOO_MANY_REQUESTS', { detail });
    }
    return undefined;
  }

  #handOver(pending: Pending): void {
    const { consensus } = this.#parts;
    if (consensus.status().leader === 0n) return this.#park(pending);
    this.#waiting.delete(pending);
    pending.stage = 'handedOver';
    pending.term = undefined;
    this.#fresh.push(pending);
    consensus.propose(pending.token, pending.data);
  }

  #castAdrift(pending: Pending): void {
    if (pending.stage === 'hidden') return;
    pending.stage = 'adrift';
    const { term } = pending;
    if (term !== undefined && term < this.#appliedTerm) this.#handOver(pending);
  }

  #park(pending: Pending): void {
    pending.stage = 'waiting';
    this.#waiting.add(pending);
  }

  #refused(pending: Pending, outcome: Outcome & { kind: 'refused' }): void {
    switch (outcome.reason) {
      case 'full':
        return this.#fail(
          pending,
          new EtcdError('TOO_MANY_REQUESTS', { detail: outcome.detail ?? 'the log is full' }),
        );
      case 'stopped':
        return this.#fail(pending, new EtcdError('STOPPED', { mayHaveApplied: false }));
      default:
        // No leader, a transfer, a changed mind: etcd lets its callers wait for the next leader too.
        return this.#park(pending);
    }
  }

  /** @internal Its time is up. */
  expired(pending: Pending): void {
    if (pending.stage === 'waiting') {
      return this.#fail(pending, new EtcdError('TIMEOUT', { mayHaveApplied: false }));
    }
    const code = pending.stage === 'handedOver' ? 'TIMEOUT' : 'TIMEOUT_DUE_TO_LEADER_FAIL';
    this.#fail(pending, new EtcdError(code));
  }

  #listen(pending: Pending, signal: AbortSignal): void {
    const abort = (): void => {
      this.#fail(pending, abortError(signal, pending.stage !== 'waiting'));
    };
    signal.addEventListener('abort', abort, { once: true });
    pending.onAbort = () => signal.removeEventListener('abort', abort);
  }

  #fail(pending: Pending, error: EtcdError): void {
    this.#parts.failed?.();
    this.#forget(pending);
    pending.reject(error);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.token);
    this.#waiting.delete(pending);
    this.#bytes -= pending.data.length + PROPOSAL_OVERHEAD_BYTES;
    this.#parts.deadlines.remove(pending);
    pending.onAbort?.();
  }
}
