/** What happened in a run, as a page about it needs it. Times in milliseconds. */
import type { Message } from '@etcd-ts/raft';
import type { Violation } from '../checkers/violation.ts';
import type { Run, RunResult } from '../cluster/run-plan.ts';
import { describeOutcome, describeRequest } from '../history/describe.ts';
import type { Operation } from '../history/operation.ts';

/** Messages in a report; later ones are left out, and the page says so. */
export const MAX_REPORT_MESSAGES = 40_000;

/** A whole run. */
export interface Timeline {
  readonly seed: number;
  readonly profile: string;
  readonly safetyMs: number;
  readonly endMs: number;
  readonly members: readonly MemberLane[];
  readonly faults: readonly { kind: string; fromMs: number; toMs: number; text: string }[];
  readonly operations: readonly OperationBar[];
  readonly messages: readonly MessageMark[];
  readonly hasAllMessages: boolean;
  readonly violations: readonly { invariant: string; message: string; atMs: number | null }[];
}

/** One member's life. */
export interface MemberLane {
  readonly number: number;
  readonly lives: { fromMs: number; toMs: number }[];
  readonly roles: { atMs: number; isLeader: boolean; hasLeader: boolean; term: number }[];
  readonly applied: { atMs: number; index: number }[];
  /** When it told others of a further commit, as a leader. */
  readonly committed: { atMs: number; index: number }[];
}

interface OperationBar {
  readonly client: number;
  readonly member: number;
  readonly text: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly outcome: string;
}

interface MessageMark {
  readonly atMs: number;
  /** When it arrived; null: never. */
  arrivedMs: number | null;
  readonly from: number;
  readonly to: number;
  readonly type: string;
  readonly term: number;
  /** What it is about, in a few words. */
  readonly text: string;
}

/** Looks on while a plan runs. */
export class TimelineCollector {
  readonly #members = new Map<number, MemberLane>();
  readonly #messages: MessageMark[] = [];
  readonly #onTheWay = new WeakMap<Message, MessageMark>();
  #run: Run | undefined;
  #hasAllMessages = true;

  /** Begins to look; hand it to {@link RunOptions.watch}. */
  readonly watch = (run: Run): void => {
    this.#run = run;
    const { ghost, members, world } = run.cluster;
    const nowMs = (): number => world.nowUs / 1000;
    const numbers = new Map<bigint, number>();
    for (const { number } of members) this.#lane(number);
    ghost.listeners.push({
      life: (member, isUp) => {
        const { lives } = this.#lane(member);
        if (isUp) lives.push({ fromMs: nowMs(), toMs: Infinity });
        else {
          const last = lives.at(-1);
          if (last !== undefined) last.toMs = nowMs();
        }
      },
      status: (member, { isLeader, leader, term }) => {
        for (const { node, number } of members)
          if (node !== undefined) numbers.set(node.memberId, number);
        this.#lane(member).roles.push({ atMs: nowMs(), isLeader, hasLeader: leader !== 0n, term });
      },
      applied: (member, index) => this.#lane(member).applied.push({ atMs: nowMs(), index }),
      sent: (message) => {
        const { from, to, type, term } = message;
        this.#noteCommit(message, numbers.get(from), nowMs());
        if (this.#messages.length >= MAX_REPORT_MESSAGES) this.#hasAllMessages = false;
        else {
          const ends = { from: numbers.get(from) ?? 0, to: numbers.get(to) ?? 0 };
          const mark = { atMs: nowMs(), arrivedMs: null, ...ends, type, term, text: gist(message) };
          this.#messages.push(mark);
          this.#onTheWay.set(message, mark);
        }
      },
      arrived: (messages) => {
        for (const message of messages) {
          const mark = this.#onTheWay.get(message);
          if (mark !== undefined) mark.arrivedMs ??= nowMs();
        }
      },
    });
  };

  /** Everything that was seen, with how the run was judged. */
  timeline(result: RunResult): Timeline {
    const run = this.#run;
    if (run === undefined) throw new Error('the collector has not looked at a run');
    const endMs = result.simulatedMs;
    const members = [...this.#members.values()].sort((a, b) => a.number - b.number);
    for (const { lives } of members)
      for (const life of lives) life.toMs = Math.min(life.toMs, endMs);
    return {
      seed: run.plan.seed,
      profile: run.plan.profile,
      safetyMs: run.plan.safetyMs,
      endMs,
      members,
      faults: run.plan.faults
        .filter((fault) => fault.atMs <= run.plan.safetyMs)
        .map(({ kind, atMs, forMs, ...rest }) => ({
          kind,
          fromMs: atMs,
          toMs: Math.min(atMs + forMs, run.plan.safetyMs),
          text: JSON.stringify(rest),
        })),
      operations: run.recorder.operations().map(barOf),
      messages: this.#messages,
      hasAllMessages: this.#hasAllMessages,
      violations: result.violations.map(markOf),
    };
  }

  /** A leader tells of a commit that it has not told of before. */
  #noteCommit(message: Message, from: number | undefined, atMs: number): void {
    if ((message.type !== 'append' && message.type !== 'heartbeat') || from === undefined) return;
    const { committed } = this.#lane(from);
    const last = committed.at(-1)?.index ?? 0;
    if (message.commit > last) committed.push({ atMs, index: message.commit });
  }

  #lane(number: number): MemberLane {
    let lane = this.#members.get(number);
    if (lane === undefined) {
      lane = { number, lives: [], roles: [], applied: [], committed: [] };
      this.#members.set(number, lane);
    }
    return lane;
  }
}

/** What a message says, for whoever points at it. */
function gist(message: Message): string {
  switch (message.type) {
    case 'append': {
      const last = message.prevIndex + message.entries.length;
      const entries =
        message.entries.length === 0 ? 'nothing' : `${message.prevIndex + 1} to ${last}`;
      return `entries: ${entries}, commit ${message.commit}`;
    }
    case 'appendResponse':
      return message.rejected
        ? `refused at ${message.index}`
        : `has everything to ${message.index}`;
    case 'vote':
    case 'preVote':
      return `log to ${message.lastIndex} of term ${message.lastTerm}`;
    case 'voteResponse':
    case 'preVoteResponse':
      return message.rejected ? 'no' : 'yes';
    case 'snapshot':
      return `state at ${message.snapshot.index}`;
    case 'heartbeat':
      return `commit ${message.commit}`;
    default:
      return '';
  }
}

function markOf({ invariant, message, atUs }: Violation): Timeline['violations'][number] {
  return { invariant, message, atMs: atUs === undefined ? null : atUs / 1000 };
}

function barOf(operation: Operation): OperationBar {
  return {
    client: operation.client,
    member: operation.member,
    text: `#${operation.id} ${describeRequest(operation)}: ${describeOutcome(operation)}`,
    fromMs: operation.invokedUs / 1000,
    toMs: operation.returnedUs / 1000,
    outcome: operation.outcome.kind,
  };
}
