import { clusterId, type MemberId, memberId } from '@etcd-ts/base';
import { memoryBackend } from '@etcd-ts/mvcc';
import { EtcdError } from '@etcd-ts/protocol';
import type { Command, CommandResult } from '../../src/apply/command.ts';
import { ReplicatedState } from '../../src/apply/replicated-state.ts';
import type { ConfigChange } from '@etcd-ts/raft';
import type { Clock } from '../../src/clock.ts';
import type { FollowerProgress } from '../../src/consensus/consensus.ts';
import { DEFAULT_LIMITS, type ServerLimits } from '../../src/limits.ts';
import type { LogFields, Logger } from '../../src/logger.ts';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import type { NodePort, NodeStatus } from '../../src/node-port.ts';
import { ETCD_VERSION } from '../../src/services/version.ts';
import { ManualClock } from './manual-clock.ts';

const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (callback) => void setImmediate(callback),
};

/** A node of one member whose log is applied as it is written. Tests reach behind it to play the consensus. */
export class FakeNode implements NodePort {
  readonly memberId: MemberId;
  readonly clusterId = clusterId(0xc1n);
  readonly serverVersion: string = ETCD_VERSION;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** Lines of the log. */
  readonly logged: { level: string; message: string; fields: LogFields }[] = [];
  readonly log: Logger = recorder(this.logged);
  readonly metrics: NodeMetrics = new NodeMetrics();
  readonly state: ReplicatedState;
  /** Every command that was proposed, in order. */
  readonly proposed: Command[] = [];
  /** Read barriers that were asked for. */
  barriers = 0;
  /** Called before a barrier is passed. */
  beforeBarrier: () => Promise<void> = () => Promise.resolve();
  /** Called in place of applying at once: lets a test hold a proposal back, drop it, or refuse it. */
  beforeApply: (command: Command) => Promise<void> = () => Promise.resolve();
  /** Called before a membership change is applied: lets a test refuse it. */
  beforeChange: (change: ConfigChange) => Promise<void> = () => Promise.resolve();
  /** Why the node was to end, each time that somebody said so. */
  readonly halts: Error[] = [];
  /** Targets of leadership transfers. */
  readonly transferred: MemberId[] = [];
  /** What the leader knows of its followers. */
  followers: readonly FollowerProgress[] = [];
  /** Since when peers are connected, in the clock's ms. */
  readonly connected = new Map<bigint, number>();
  /** Answers `callLeader`. */
  leader: (method: string, request: Uint8Array) => Promise<Uint8Array> = () =>
    Promise.reject(new EtcdError('NO_LEADER'));
  readonly #listeners = new Set<(status: NodeStatus) => void>();
  #status: NodeStatus;

  private constructor(state: ReplicatedState, clock: Clock, limits: Partial<ServerLimits>) {
    this.memberId = memberId(0xa1n);
    this.state = state;
    this.clock = clock;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.#status = {
      leader: this.memberId,
      isLeader: true,
      isLearner: false,
      term: 2,
      committedIndex: 0,
      appliedIndex: 0,
    };
  }

  static async start(
    options: { clock?: 'real' | 'manual'; limits?: Partial<ServerLimits> } = {},
  ): Promise<FakeNode> {
    const state = await ReplicatedState.open(memoryBackend());
    const clock = options.clock === 'real' ? realClock : new ManualClock();
    return new FakeNode(state, clock, options.limits ?? {});
  }

  /** The clock, where the test drives it. */
  get time(): ManualClock {
    if (!(this.clock instanceof ManualClock)) throw new Error('the clock is real');
    return this.clock;
  }

  halt(reason: Error): void {
    this.halts.push(reason);
  }

  status(): NodeStatus {
    const index = this.state.appliedIndex;
    return { ...this.#status, committedIndex: index, appliedIndex: index };
  }

  /** Plays a change of leadership, term or kind of member. */
  setStatus(status: Partial<NodeStatus>): void {
    this.#status = { ...this.#status, ...status };
    for (const listener of this.#listeners) listener(this.status());
  }

  async propose(command: Command): Promise<CommandResult> {
    this.proposed.push(command);
    await this.beforeApply(command);
    if (this.#status.leader === 0n) throw new EtcdError('NO_LEADER');
    return this.apply(command);
  }

  /** Commits and applies a command. */
  apply(command: Command, term: number = this.#status.term): CommandResult {
    const index = this.state.appliedIndex + 1;
    const result = this.state.apply({ index, term, command });
    if (EtcdError.is(result)) throw result;
    return result;
  }

  async readBarrier(): Promise<void> {
    this.barriers++;
    await this.beforeBarrier();
    return this.#status.leader === 0n
      ? Promise.reject(new EtcdError('NO_LEADER'))
      : Promise.resolve();
  }

  callLeader(method: string, request: Uint8Array): Promise<Uint8Array> {
    return this.leader(method, request);
  }

  /** Answers `callMember`. */
  others: (member: bigint, method: string, request: Uint8Array) => Promise<Uint8Array> = () =>
    Promise.reject(new EtcdError('UNAVAILABLE', { message: 'nobody is there' }));

  callMember(member: bigint, method: string, request: Uint8Array): Promise<Uint8Array> {
    return this.others(member, method, request);
  }

  /** Commits and applies a membership change as Raft would, where it is a simple one. */
  async changeMembers(change: ConfigChange): Promise<void> {
    await this.beforeChange(change);
    const { voters, learners, ...rest } = this.state.confState;
    const without = (ids: readonly bigint[], id: bigint) => ids.filter((other) => other !== id);
    let confState = { voters, learners, ...rest };
    for (const { op, node } of change.steps) {
      if (op === 'update') continue;
      const others = {
        voters: without(confState.voters, node),
        learners: without(confState.learners, node),
      };
      confState = {
        ...rest,
        voters: op === 'addVoter' ? [...others.voters, node].sort(byValue) : others.voters,
        learners: op === 'addLearner' ? [...others.learners, node].sort(byValue) : others.learners,
      };
    }
    const { term } = this.#status;
    this.state.applyConfig({ index: this.state.appliedIndex + 1, term, change, confState });
  }

  transferLeadership(target: MemberId): Promise<void> {
    this.transferred.push(target);
    return Promise.resolve();
  }

  progress(): readonly FollowerProgress[] {
    return this.followers;
  }

  connectedSinceMs(member: MemberId): number | undefined {
    return this.connected.get(member);
  }

  onStatusChange(listener: (status: NodeStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function recorder(lines: { level: string; message: string; fields: LogFields }[]): Logger {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
