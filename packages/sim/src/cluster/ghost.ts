/**
 * The ghost state: what the members of a cluster did, kept by the harness as they do it, and what can be seen of Raft's
 * invariants in what members apply (R1, R2, R4, R6, R7, R11, R12). What they say to one another `raft-claims.ts` judges.
 *
 * What always holds: the ghost only looks; nothing that a member does depends on it.
 */
import { EtcdError } from '@etcd-ts/protocol';
import type { ConfState, Message } from '@etcd-ts/raft';
import type { NodePort, NodeStatus, Served } from '@etcd-ts/server';
import type { Promotion } from '../checkers/lease-checkpoint.ts';
import type { LeaseEnding } from '../checkers/lease.ts';
import { Findings } from '../checkers/violation.ts';
import { DONE } from '../history/verdict.ts';
import { ConfigHistory } from './config-history.ts';
import { type Digests, digestsOf, digestText, printOf } from './digests.ts';
import { type LeasesBefore, leasesBefore } from './leases-before.ts';
import { Promises } from './promises.ts';
import { RaftClaims } from './raft-claims.ts';
import { SentEntries } from './sent-entries.ts';

/** A member's replicated state. */
export type State = Served['node']['state'];
type Applied = Parameters<State['apply']>[0];
/** A replicated command, as the server applies it. */
export type GhostCommand = Applied['command'];

/** What the first member to apply an index saw. */
export interface GhostEntry extends Digests {
  readonly term: number;
  /** The command's kind, or what the entry was instead. */
  readonly kind: string;
  /** Term of that member: the entry was committed in it, or before. */
  readonly decidedBy: number;
  /** The store's revision after it. */
  readonly revision: number;
  /** It made that revision, or several up to it. */
  readonly wrote: boolean;
  readonly command: GhostCommand | undefined;
  /** What became of it: `DONE`, or the error's code. */
  readonly verdict: string;
  readonly atUs: number;
}

/** Hears what the ghost sees; for reports. */
export interface GhostListener {
  status?(member: number, status: NodeStatus): void;
  applied?(member: number, index: number): void;
  sent?(message: Message): void;
  arrived?(messages: readonly Message[]): void;
  /** A member begins to serve, or ends. */
  life?(member: number, isUp: boolean): void;
  /** A member goes on from the state after an index, and has not come there by applying: it starts, or has a snapshot. */
  began?(member: number, index: number): void;
  /** A running member has taken its state from a snapshot. */
  installed?(member: number): void;
  /** Leases that a deposed leader had taken for expired were left alone. */
  spared?(): void;
}

/** A listener's view of the trace: kind of happening and numbers to fold. */
export type Tracer = (kind: string, ...values: readonly number[]) => void;

const BOOTSTRAP = 'bootstrap';
/** The kind of an entry that changes the members begins so. */
const CONFIG = 'config';

/** What the members of one cluster did. */
export class Ghost {
  readonly findings: Findings = new Findings();
  /** By index; index 0 is empty. */
  readonly entries: (GhostEntry | undefined)[] = [undefined];
  readonly leaseEndings: LeaseEnding[] = [];
  /** Every beginning of a leadership, in order. */
  readonly promotions: Promotion[] = [];
  /** The terms in which anybody stood for election or led, and since when. */
  readonly elections: Map<number, number> = new Map();
  /** Who led in each term. */
  readonly leaders: Map<number, bigint> = new Map();
  readonly #nowUs: () => number;
  readonly #trace: Tracer;
  /** By voter and term: whom it granted. */
  readonly #grants = new Map<string, bigint>();
  readonly #sent = new SentEntries((message) => this.#add('R4', message));
  readonly #terms = new Map<number, number>();
  /** The last entry in the state of each member's process. */
  readonly #positions = new Map<number, number>();
  readonly #nodes = new Map<number, NodePort>();
  readonly #numbers = new Map<bigint, number>();
  readonly #configs = new ConfigHistory();
  readonly promises: Promises;
  readonly claims: RaftClaims;
  snapshotsInstalled = 0;
  /** How far each machine's member had come when its disk fell back without a word: it had lied, or it was an old one. */
  readonly lostUnnoticed: Map<number, number> = new Map();
  /** Whoever wants to hear. */
  readonly listeners: GhostListener[] = [];
  /** Called when an entry is applied anywhere for the first time. */
  onFirstApply: ((index: number, term: number, configs: readonly ConfState[]) => void) | undefined;

  constructor(nowUs: () => number, trace: Tracer) {
    this.#nowUs = nowUs;
    this.#trace = trace;
    this.promises = new Promises(this.findings, nowUs, {
      committedTerm: (index) => this.entries[index]?.term,
      hasLeaderBetween: (after, through) => {
        return [...this.leaders.keys()].some((term) => term > after && term <= through);
      },
    });
    this.claims = new RaftClaims({
      findings: this.findings,
      nowUs,
      committed: (index) => this.entries[index],
      lastIndex: () => this.lastIndex,
      configsOf: (id) => this.#configs.recent(this.#numbers.get(id) ?? 0),
      configsInForce: (id) => this.#configs.inForce(this.#numbers.get(id) ?? 0),
    });
  }

  /** The highest index that any member has applied. */
  get lastIndex(): number {
    return this.entries.length - 1;
  }

  /** A member's process has recovered and begins to take part. */
  join(member: number, node: NodePort): void {
    this.#nodes.set(member, node);
    this.#numbers.set(node.memberId, member);
    this.#configs.begin(member, node.state.confState);
    this.claims.knows(node.status().committedIndex);
    this.observe(member, node.state);
    this.#guardReads(member, node);
  }

  /** A read waits until its member has applied whatever was committed when it was asked for (R10). */
  #guardReads(member: number, node: NodePort): void {
    const readBarrier = node.readBarrier.bind(node);
    node.readBarrier = async (signal) => {
      const committed = Math.max(this.lastIndex, this.claims.commit);
      await readBarrier(signal);
      const { appliedIndex } = node.state;
      if (appliedIndex >= committed) return;
      this.#add(
        'R10',
        `member ${member} serves a read at index ${appliedIndex}, but ${committed} was committed when it was asked for`,
      );
    };
  }

  /** Looks at everything that this member's state goes through, from the start of a process on. */
  observe(member: number, state: State): void {
    // A term that was only in memory may be forgotten; what it promised to others is R2.
    this.#terms.delete(member);
    const apply = state.apply.bind(state);
    state.apply = (entry) => {
      const before = leasesBefore(state, entry.command, entry.term);
      const result = apply(entry);
      this.#applied(member, state, entry, before, EtcdError.is(result) ? result.code : DONE);
      return result;
    };
    const applyEmpty = state.applyEmpty.bind(state);
    state.applyEmpty = (index, term) => {
      applyEmpty(index, term);
      this.#recorded(member, state, { index, term }, { kind: 'empty' }, state.store.revision);
    };
    const applyConfig = state.applyConfig.bind(state);
    state.applyConfig = (entry) => {
      const before = state.confState;
      applyConfig(entry);
      this.claims.changed(before, state.confState, entry.index);
      this.#configs.observe(member, state.confState, this.#nowUs());
      const steps = entry.change.steps.map((step) => `${step.op} ${step.node}`).join();
      this.#recorded(member, state, entry, { kind: `${CONFIG} ${steps}` }, state.store.revision);
    };
    state.observe({
      replaced: () => {
        this.#replaced(member, state);
        for (const listener of this.listeners) listener.installed?.(member);
      },
    });
    this.#positions.delete(member);
    this.#replaced(member, state);
  }

  /** A member begins to serve, or ends. */
  life(member: number, isUp: boolean): void {
    for (const listener of this.listeners) listener.life?.(member, isUp);
  }

  /** A member's role, term or leader changed. */
  status(member: number, id: bigint, status: NodeStatus): void {
    this.#trace('status', member, status.term, status.isLeader ? 1 : 0);
    for (const listener of this.listeners) listener.status?.(member, status);
    const known = this.#terms.get(member) ?? 0;
    if (status.term < known) {
      this.#add('R7', `member ${member} is in term ${status.term}, after term ${known}`);
    }
    this.#terms.set(member, Math.max(known, status.term));
    this.claims.knows(status.committedIndex);
    if (!status.isLeader) return;
    const leader = this.leaders.get(status.term);
    if (leader === undefined) {
      this.leaders.set(status.term, id);
      this.#contested(status.term);
      this.#checkCampaign(member, id, status);
      this.promotions.push({ atUs: this.#nowUs(), appliedIndex: status.appliedIndex });
      this.claims.leads(id, status.term);
    } else if (leader !== id) {
      this.#add('R1', `members ${leader} and ${id} both lead in term ${status.term}`);
    }
  }

  /** Who has become a leader knew of no change of members that it had yet to apply (R9): nothing was committed since. */
  #checkCampaign(member: number, id: bigint, { term, committedIndex }: NodeStatus): void {
    for (let index = (this.#positions.get(member) ?? 0) + 1; index <= committedIndex; index++) {
      if (this.entries[index]?.kind.startsWith(CONFIG) !== true) continue;
      this.#add(
        'R9',
        `${id} leads in term ${term}, and has not applied the change of members at ${index}, which it knows to be committed`,
      );
    }
  }

  /** A member sends a message. */
  sent(message: Message): void {
    for (const listener of this.listeners) listener.sent?.(message);
    const { from, term, type } = message;
    if (!this.#configs.isSettled) this.#configs.sends(this.#numbers.get(from) ?? 0, this.#nowUs());
    this.claims.sent(message);
    if (type === 'vote' || type === 'voteResponse' || type === 'appendResponse') {
      const entryTerm = type === 'appendResponse' ? this.claims.termAt(term, message.index) : 0;
      this.promises.sent(this.#numbers.get(from) ?? 0, message, entryTerm);
    }
    // Whoever stands has voted for itself.
    if (type === 'vote') {
      this.#granted(from, term, from);
      this.#contested(term);
    }
    if (type === 'voteResponse' && !message.rejected) this.#granted(from, term, message.to);
    if (type === 'append') this.#sent.sent(message);
  }

  #contested(term: number): void {
    if (!this.elections.has(term)) this.elections.set(term, this.#nowUs());
  }

  /** Whether a member is known to have voted in a term, for itself or another one. */
  hasVoted(member: bigint, term: number): boolean {
    return this.#grants.has(`${member} ${term}`);
  }

  #granted(voter: bigint, term: number, to: bigint): void {
    const key = `${voter} ${term}`;
    const granted = this.#grants.get(key);
    if (granted !== undefined && granted !== to) {
      this.#add('R2', `${voter} granted term ${term} to ${granted} and to ${to}`);
    }
    this.#grants.set(key, to);
  }

  /** Messages arrive at a member. */
  arrived(messages: readonly Message[]): void {
    for (const listener of this.listeners) listener.arrived?.(messages);
  }

  #applied(
    member: number,
    state: State,
    entry: Applied,
    before: LeasesBefore,
    verdict: string,
  ): void {
    const isFirst = entry.index > this.lastIndex;
    const { command } = entry;
    if (isFirst && before.spared.length > 0) {
      for (const listener of this.listeners) listener.spared?.();
    }
    for (const id of before.ended) {
      if (verdict !== DONE || !state.lessor.exists(id)) continue;
      this.#add(
        'L3',
        `entry ${entry.index} (${command.kind}) left lease ${id}, which it was to end`,
      );
    }
    for (const id of before.spared) {
      if (state.lessor.exists(id)) continue;
      this.#add('L4', `entry ${entry.index}, of a leader that was deposed, ended lease ${id}`);
    }
    const what = { kind: command.kind, command, verdict };
    this.#recorded(member, state, entry, what, before.revision);
    if (!isFirst) return;
    let { revision } = before;
    for (const { id, keys } of before.leases) {
      if (state.lessor.exists(id)) continue;
      if (keys.length > 0) revision++;
      this.leaseEndings.push({
        leaseId: id,
        expired: entry.command.kind === 'leaseRevokeExpired',
        atUs: this.#nowUs(),
        revision,
        keys,
      });
    }
    if (before.leases.length > 0 && revision !== state.store.revision) {
      this.#add(
        'L3',
        `entry ${entry.index} ended leases and made revisions to ${state.store.revision}, expected ${revision}`,
      );
    }
  }

  #recorded(
    member: number,
    state: State,
    at: { readonly index: number; readonly term: number },
    { kind, command, verdict = DONE }: Recorded,
    revisionBefore: number,
  ): void {
    const keysHash = state.store.stateFingerprint();
    const restHash = state.restHash();
    const { revision } = state.store;
    this.#trace('apply', member, at.index, revision);
    for (const listener of this.listeners) listener.applied?.(member, at.index);
    this.promises.applied(member, at.index);
    const position = this.#positions.get(member) ?? 0;
    if (at.index !== position + 1) {
      this.#add('R7', `member ${member} applied ${at.index} after ${position}`);
    }
    this.#positions.set(member, at.index);
    const known = this.entries[at.index];
    if (known === undefined) {
      if (at.index !== this.lastIndex + 1 && at.index === position + 1) {
        this.#add('R7', `member ${member} applied ${at.index}, but nobody ${this.lastIndex + 1}`);
      }
      const wrote = revision > revisionBefore;
      const atUs = this.#nowUs();
      const { index, term } = at;
      const decidedBy = Math.max(term, this.#nodes.get(member)?.status().term ?? term);
      // One literal, for there are more of these than of anything else that is kept.
      this.entries[index] = {
        term,
        decidedBy,
        kind,
        keysHash,
        restHash,
        revision,
        wrote,
        command,
        verdict,
        atUs,
      };
      this.onFirstApply?.(index, term, this.#configsFor(member, decidedBy));
      return;
    }
    const isEqual = known.term === at.term && known.kind === kind && known.verdict === verdict;
    const isAlike = known.keysHash === keysHash && known.restHash === restHash;
    if (isEqual && isAlike && state.appliedIndex === at.index) return;
    const isSame =
      known.term === at.term && printOf(known.command, known.kind) === printOf(command, kind);
    if (isSame && known.verdict !== verdict) {
      this.#add(
        'AU3',
        `entry ${at.index} (${kind}): member ${member} says ${verdict}, another said ${known.verdict}`,
      );
      return;
    }
    if (isSame) {
      this.#add(
        'R11',
        `after entry ${at.index} (${kind}) member ${member} has state ${digestText(state.appliedIndex, { keysHash, restHash })}, another had ${digestText(at.index, known)}`,
      );
      return;
    }
    this.#add(
      'R6',
      `member ${member} applied at ${at.index} of term ${at.term}: ${printOf(command, kind)}; ` +
        `another had applied in term ${known.term}: ${printOf(known.command, known.kind)}`,
    );
  }

  /** A member has its state from elsewhere than the log: its own database, or a snapshot. */
  #replaced(member: number, state: State): void {
    const index = state.appliedIndex;
    for (const listener of this.listeners) listener.began?.(member, index);
    this.#configs.observe(member, state.confState, this.#nowUs());
    const position = this.#positions.get(member) ?? 0;
    if (index < position) {
      this.#add('R12', `member ${member} goes back from ${position} to the state after ${index}`);
    }
    this.#positions.set(member, index);
    const known = this.entries[index];
    if (index === 0) return;
    if (known === undefined && this.lastIndex === 0) {
      // A new cluster's first members begin behind the entries that they did not need to write.
      this.entries[index] = {
        term: state.appliedTerm,
        decidedBy: state.appliedTerm,
        kind: BOOTSTRAP,
        ...digestsOf(state),
        revision: state.store.revision,
        wrote: false,
        command: undefined,
        verdict: DONE,
        atUs: this.#nowUs(),
      };
      return;
    }
    if (known?.kind !== BOOTSTRAP) this.snapshotsInstalled++;
    if (known === undefined) {
      this.#add('R12', `member ${member} has the state after ${index}, which nobody has applied`);
      return;
    }
    const digests = digestsOf(state);
    if (known.keysHash !== digests.keysHash || known.restHash !== digests.restHash) {
      this.#add(
        'R12',
        `member ${member} begins with the state after ${index}: ${digestText(index, digests)}, but it was ${digestText(index, known)}`,
      );
    }
  }

  /**
   * The configurations under which what a member applies may have been committed: its own, and those of the leader, which
   * may be the last to apply a change of members.
   */
  #configsFor(member: number, term: number): readonly ConfState[] {
    const own = this.#configs.recent(member);
    const leader = this.#numbers.get(this.leaders.get(term) ?? 0n) ?? member;
    return leader === member ? own : [...own, ...this.#configs.recent(leader)];
  }

  #add(invariant: Parameters<Findings['add']>[0], message: string): void {
    this.findings.add(invariant, message, [], this.#nowUs());
  }
}

/** What was applied, and what became of it. */
interface Recorded {
  readonly kind: string;
  readonly command?: GhostCommand;
  readonly verdict?: string;
}
