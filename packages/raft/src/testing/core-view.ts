import { must } from '@etcd-ts/base';
import {
  type ConfState,
  type Effect,
  type Entry,
  type Input,
  type LogIndex,
  type Message,
  type NodeId,
  type RaftConfig,
  RaftCore,
  type RaftInitialState,
  type Role,
  type Term,
  type TraceEvent,
} from '../index.ts';
import { isVoter, membersOf } from '../conf-change.ts';
import { shownTerm } from './bootstrap.ts';
import { type LogCursors, logLines } from './log-lines.ts';
import type { LogLevel } from './output.ts';
import { describeProgress } from './progress-text.ts';
import { type WireMessage, wireMessage } from './wire-message.ts';

/** What a view needs of the node around it. */
export interface ViewHooks {
  readonly log: (level: LogLevel, text: string) => void;
  /** etcd's own cursors, for one log line. */
  readonly cursors: () => Omit<LogCursors, 'committed'>;
  /** The node asks itself for a vote: etcd's message to itself. */
  readonly campaigned: (message: WireMessage) => void;
}

/** A core seen the way etcd's tests look at one, with its trace written as etcd's log lines. */
export class CoreView {
  readonly #core: RaftCore;
  readonly #id: NodeId;
  readonly #hooks: ViewHooks;
  /** Term and commit index as events need them, also while the core is being made. */
  #term: Term;
  #commit: LogIndex;

  constructor(config: RaftConfig, initial: RaftInitialState, hooks: ViewHooks) {
    this.#id = config.id;
    this.#hooks = hooks;
    this.#term = initial.hardState.term;
    this.#commit = initial.hardState.commit;
    this.#core = new RaftCore(config, initial, { trace: (event) => this.#trace(event) });
    this.#logStart();
  }

  #logStart(): void {
    const { term, commit, lastIndex, lastTerm } = this;
    const peers = membersOf(this.confState).map((id) => id.toString(16));
    this.#hooks.log(
      'info',
      `newRaft ${this.#id.toString(16)} [peers: [${peers.join(',')}], term: ${term}, ` +
        `commit: ${commit}, applied: ${this.#core.status().applied}, lastindex: ${lastIndex}, ` +
        `lastterm: ${shownTerm(lastTerm, lastIndex)}]`,
    );
  }

  #trace(event: TraceEvent): void {
    if (event.type === 'ownVoteRequested') {
      const type = event.vote === 'vote' ? 'MsgVoteResp' : 'MsgPreVoteResp';
      this.#hooks.campaigned(wireMessage({ type, from: this.#id, to: this.#id, term: event.term }));
    }
    if ('term' in event && event.type.startsWith('became')) this.#term = event.term;
    const cursors = (): LogCursors => ({ committed: this.#commit, ...this.#hooks.cursors() });
    for (const { level, text } of logLines(this.#id, this.#term, cursors, event)) {
      this.#hooks.log(level, text);
    }
  }

  step(input: Input): readonly Effect[] {
    const status = this.#core.status();
    this.#term = status.term;
    this.#commit = status.commit;
    return this.#core.step(input);
  }

  get term(): Term {
    return this.#core.status().term;
  }

  get vote(): NodeId {
    return this.#core.status().vote;
  }

  get role(): Role {
    return this.#core.status().role;
  }

  get leader(): NodeId {
    return this.#core.status().leader;
  }

  get commit(): LogIndex {
    return this.#core.status().commit;
  }

  get lastIndex(): LogIndex {
    return this.#core.status().lastIndex;
  }

  get lastTerm(): Term {
    return this.#core.status().lastTerm;
  }

  get confState(): ConfState {
    return this.#core.status().confState;
  }

  /** Entries of the log from `from` through `to`. */
  entries(from: LogIndex, to: LogIndex): readonly Entry[] {
    return this.#core.entries(from, to);
  }

  /** The term of an entry; 0 when the log does not know it. */
  termAt(index: LogIndex): Term {
    return this.#core.termAt(index) ?? 0;
  }

  isVoter(id: NodeId): boolean {
    return isVoter(this.confState, id);
  }

  /** Whether the node keeps a progress of this peer, as etcd asks before it takes an answer. */
  tracks(id: NodeId): boolean {
    return this.#core.tracks(id);
  }

  /** Peers whose progress a leader knows, ascending; none when it does not lead. */
  peers(): readonly NodeId[] {
    return this.#core.progress().map((progress) => progress.id);
  }

  describeProgress(peer: NodeId): string {
    const progress = this.#core.progress().find(({ id }) => id === peer);
    return describeProgress(must(progress, `progress of ${peer}`));
  }

  sessionOf(peer: NodeId): LogIndex {
    return this.#core.progress().find(({ id }) => id === peer)?.session ?? 0;
  }

  /** The commit index that etcd would put into a heartbeat: never beyond what the peer acknowledged. */
  heartbeatCommit(message: Message & { readonly type: 'heartbeat' }): LogIndex {
    const match = this.#core.progress().find(({ id }) => id === message.to)?.match;
    return Math.min(message.commit, match ?? message.commit);
  }

  setElectionTimeout(ticks: number): void {
    this.#core.setElectionTimeout(ticks);
  }
}
