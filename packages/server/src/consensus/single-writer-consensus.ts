/**
 * The second engine: one member, no elections, no peers. The same log and the same state, for whoever wants a durable
 * store without replication; and the proof that the engine can be exchanged.
 *
 * A command is committed when it is durable here. All that is proposed in one turn is one write and one sync.
 *
 * What always holds
 * - Term is {@link WRITER_TERM} for ever, and this member leads from the first turn on.
 * - committed ≤ last. Pages come in order, at most {@link MAX_PAGE_ENTRIES} entries each.
 */
import { assert } from '@etcd-ts/base';
import type {
  ConfigChange,
  Entry,
  LogIndex,
  NodeId,
  Outcome,
  RaftInitialState,
  Refusal,
  SnapshotMeta,
  Term,
  Token,
} from '@etcd-ts/raft';
import type { Wal, WalError } from '@etcd-ts/wal';
import type { Clock } from '../clock.ts';
import type { Consensus, ConsensusHost, ConsensusStatus, FollowerProgress } from './consensus.ts';

/** The term of every entry; above the term of the state that a member is founded with. */
export const WRITER_TERM: Term = 2;

/** Entries in one page. */
export const MAX_PAGE_ENTRIES = 1_024;

/** Bytes that wait for the disk beyond which proposals are refused as `full`. */
export const MAX_WRITER_BACKLOG_BYTES: number = 64 * 1024 * 1024;

/** What the engine is made of. */
export interface SingleWriterParts {
  readonly id: NodeId;
  readonly wal: Wal;
  readonly initial: RaftInitialState;
  readonly clock: Clock;
}

/** Consensus of one. */
export class SingleWriterConsensus implements Consensus {
  readonly #parts: SingleWriterParts;
  #host: ConsensusHost | undefined;
  #proposals: { readonly token: Token; readonly data: Uint8Array }[] = [];
  #answers: { readonly token: Token; readonly outcome: Outcome }[] = [];
  /** Committed and not yet handed out, in order. */
  #committed: Entry[];
  #reads: Token[] = [];
  #lastIndex: LogIndex;
  #committedIndex: LogIndex;
  #firstIndex: LogIndex;
  #term: Term;
  #isApplying = false;
  #scheduled = false;
  #ended = false;

  constructor(parts: SingleWriterParts) {
    const { applied, entries, hardState } = parts.initial;
    this.#parts = parts;
    this.#committed = entries.filter(({ index }) => index > applied);
    const last = entries.at(-1)?.index ?? applied;
    this.#lastIndex = Math.max(applied, last);
    this.#committedIndex = this.#lastIndex;
    this.#firstIndex = entries[0]?.index ?? applied + 1;
    this.#term = Math.max(WRITER_TERM, hardState.term);
  }

  start(host: ConsensusHost): void {
    assert(this.#host === undefined, 'the engine was started twice');
    this.#host = host;
    const { hardState } = this.#parts.initial;
    const write = { term: this.#term, vote: this.#parts.id, commit: this.#committedIndex };
    if (hardState.term !== this.#term) {
      this.#parts.wal.write({ entries: [], hardState: write }, true, (error) => {
        if (error !== undefined) this.#fail(error);
      });
    }
    this.#parts.clock.soon(() => {
      if (this.#ended) return;
      host.statusChanged(this.status());
      this.#schedule();
    });
  }

  status(): ConsensusStatus {
    return {
      role: 'leader',
      leader: this.#parts.id,
      term: this.#term,
      committedIndex: this.#committedIndex,
      lastIndex: this.#lastIndex,
      firstIndex: this.#firstIndex,
    };
  }

  progress(): readonly FollowerProgress[] {
    return [];
  }

  propose(token: Token, data: Uint8Array): void {
    this.#proposals.push({ token, data });
    this.#schedule();
  }

  changeConfig(token: Token, _change: ConfigChange, _inTerm: Term): void {
    this.#refuse(token, 'changeIllegal', 'the single-writer engine has one member for ever');
  }

  readIndex(token: Token): void {
    this.#reads.push(token);
    this.#schedule();
  }

  transferLeadership(token: Token, target: NodeId): void {
    if (target === this.#parts.id) this.#answer(token, { kind: 'transferred' });
    else this.#refuse(token, 'notMember', 'the single-writer engine has one member for ever');
  }

  campaign(): void {
    // It leads already.
  }

  applied(index: LogIndex): void {
    const first = this.#committed[0]?.index ?? this.#committedIndex + 1;
    assert(index + 1 === first, () => `applied ${index}, the next page begins at ${first}`);
    this.#isApplying = false;
    this.#schedule();
  }

  compact(mark: SnapshotMeta, compactIndex: LogIndex): LogIndex {
    if (this.#ended) return 0;
    const { wal } = this.#parts;
    wal.write({ snapshot: mark, entries: [] }, true, (error) => {
      if (error !== undefined) return this.#fail(error);
      this.#firstIndex = Math.max(this.#firstIndex, compactIndex + 1);
      wal.release(compactIndex).catch((cause: WalError) => this.#fail(cause));
    });
    return compactIndex;
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#parts.wal.close();
  }

  kill(): void {
    this.#ended = true;
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended || this.#host === undefined) return;
    this.#scheduled = true;
    this.#parts.clock.soon(() => {
      this.#scheduled = false;
      if (this.#ended || this.#host === undefined) return;
      try {
        this.#turn(this.#host);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #turn(host: ConsensusHost): void {
    host.stepping();
    this.#write(host);
    const answers = this.#answers;
    this.#answers = [];
    for (const { token, outcome } of answers) host.outcome(token, outcome);
    this.#page(host);
    const reads = this.#reads;
    this.#reads = [];
    const outcome: Outcome = { kind: 'readable', index: this.#committedIndex };
    for (const token of reads) host.outcome(token, outcome);
  }

  /** What was proposed goes down as one group. */
  #write(host: ConsensusHost): void {
    const proposals = this.#proposals;
    if (proposals.length === 0) return;
    this.#proposals = [];
    const { wal } = this.#parts;
    if (wal.pendingBytes > MAX_WRITER_BACKLOG_BYTES) {
      for (const { token } of proposals) host.outcome(token, this.#refusal('full'));
      return;
    }
    const entries = proposals.map(({ data }): Entry => {
      this.#lastIndex += 1;
      return { index: this.#lastIndex, term: this.#term, payload: { kind: 'command', data } };
    });
    wal.write({ entries }, true, (error) => {
      if (error !== undefined) return this.#fail(error);
      if (this.#ended) return;
      for (const entry of entries) this.#committed.push(entry);
      this.#committedIndex = entries.at(-1)?.index ?? this.#committedIndex;
      for (const [at, { token }] of proposals.entries()) {
        const index = entries[at]?.index ?? 0;
        this.#answer(token, { kind: 'committed', index, term: this.#term });
      }
      this.#schedule();
    });
    for (const [at, { token }] of proposals.entries()) {
      const index = entries[at]?.index ?? 0;
      host.outcome(token, { kind: 'accepted', index, term: this.#term });
    }
  }

  #page(host: ConsensusHost): void {
    if (this.#isApplying || this.#committed.length === 0) return;
    this.#isApplying = true;
    host.apply(this.#committed.splice(0, MAX_PAGE_ENTRIES));
  }

  #answer(token: Token, outcome: Outcome): void {
    this.#answers.push({ token, outcome });
    this.#schedule();
  }

  #refuse(token: Token, reason: Refusal, detail: string): void {
    this.#answer(token, { ...this.#refusal(reason), detail });
  }

  #refusal(reason: Refusal): Outcome & { kind: 'refused' } {
    return { kind: 'refused', reason, leader: this.#parts.id };
  }

  #fail(reason: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#host?.stopped(reason);
  }
}
