import { assert, must, unreachable, utf8 } from '@etcd-ts/base';
import type {
  ConfigChange,
  ConfigStep,
  ConfState,
  Input,
  LogIndex,
  Message,
  NodeId,
  Outcome,
  RaftConfig,
  SendSnapshotEffect,
  Term,
  Token,
} from '../../index.ts';
import { Ghost, isQuorum } from './ghost.ts';
import type { SimSnapshot } from './disk.ts';
import { EMPTY_SNAPSHOT, SimNode, type SimWorld } from './node.ts';
import { SIM_EVENTS, type SimEvent, type SimPlan } from './plan.ts';
import { SimRandom } from './random.ts';
import { SimNetwork } from './network.ts';
import { Requests } from './requests.ts';

/** What a run did; a run in which nothing happens proves nothing. */
export interface SimReport {
  readonly seed: number;
  readonly steps: number;
  readonly elections: number;
  readonly commit: LogIndex;
  readonly healingTicks: number;
  readonly counts: Readonly<Record<SimEvent, number>>;
  readonly outcomes: ReadonlyMap<Outcome['kind'], number>;
}

/** A run that broke an invariant, with what is needed to see it again. */
export class SimFailure extends Error {
  override readonly name = 'SimFailure';
  readonly seed: number;
  /** The last events before the failure, oldest first. */
  readonly trace: readonly string[];

  constructor(seed: number, trace: readonly string[], cause: Error) {
    super(`seed ${seed}: ${cause.message}\n  ${trace.slice(-TRACE_SHOWN).join('\n  ')}`, { cause });
    this.seed = seed;
    this.trace = trace;
  }
}

/** Events kept for the report of a failure, and those printed with it. */
const TRACE_KEPT = 4096;
const TRACE_SHOWN = 40;
/** Ticks per node within which a healed cluster must agree on everything again. */
export const HEALING_TICKS_MAX = 400;
const ELECTION_TIMEOUT_TICKS = 10;
const FIRST_INDEX = 1;

/**
 * One seeded run: faults and requests in random order, every invariant after every step, then healing.
 *
 * The network, the disks and time are the simulator's; what is tested is the core as it is.
 */
export class Simulation implements SimWorld {
  readonly plan: SimPlan;
  readonly random: SimRandom;
  readonly ghost: Ghost;
  readonly nodes: SimNode[] = [];
  readonly network: SimNetwork;
  readonly requests: Requests;
  readonly #trace: string[] = [];
  readonly #counts: Record<SimEvent, number>;
  #elections = 0;
  #healingTicks = 0;
  #command = 0;

  constructor(plan: SimPlan) {
    this.plan = plan;
    this.random = new SimRandom(plan.seed ^ 0x5bd1e995);
    const voters = ids(plan.voterCount);
    const confState: ConfState = {
      voters,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    };
    const first: SimSnapshot = { meta: { index: FIRST_INDEX, term: 1, confState }, digest: 1 };
    this.ghost = new Ghost(FIRST_INDEX, first.digest, confState);
    this.network = new SimNetwork(plan, this.random.fork());
    this.requests = new Requests(this.ghost);
    for (const id of ids(plan.nodeCount)) {
      const snapshot = voters.includes(id) ? first : EMPTY_SNAPSHOT;
      this.nodes.push(new SimNode(this.#config(id), snapshot, this));
    }
    this.#counts = { ...plan.weights };
    for (const event of SIM_EVENTS) this.#counts[event] = 0;
  }

  #config(id: NodeId): RaftConfig {
    const { plan } = this;
    return {
      id,
      electionTimeoutTicks: ELECTION_TIMEOUT_TICKS,
      heartbeatTicks: 1,
      preVote: plan.preVote,
      checkQuorum: plan.checkQuorum,
      readMode: plan.readsByLease ? 'lease' : 'safe',
      maxMessageBytes: plan.maxMessageBytes,
      maxInflightMessages: plan.maxInflightMessages,
      maxUncommittedBytes: plan.maxUncommittedBytes,
      maxApplyBytes: plan.maxApplyBytes,
      maxPendingReads: plan.maxPendingReads,
      stepDownOnRemoval: plan.stepDownOnRemoval,
      seed: this.random.bits(),
    };
  }

  /**
   * Runs all steps, then heals and checks that everything comes to an end.
   *
   * @throws SimFailure when an invariant breaks.
   */
  run(): SimReport {
    try {
      for (let step = 0; step < this.plan.steps; step++) this.#step();
      this.#heal();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new SimFailure(this.plan.seed, this.#trace, error);
    }
    return {
      seed: this.plan.seed,
      steps: this.plan.steps,
      elections: this.#elections,
      commit: this.ghost.commit,
      healingTicks: this.#healingTicks,
      counts: this.#counts,
      outcomes: this.requests.outcomes,
    };
  }

  // What nodes ask of the world.

  send(message: Message): void {
    this.network.send(message);
  }

  /**
   * The driver sends the state machine as it is now.
   *
   * An older snapshot would do for the log. But a node whose id was used before must not be put back to a
   * configuration from before it was added again, in which its forgotten self may have decided alone.
   */
  sendSnapshot(from: SimNode, effect: SendSnapshotEffect): void {
    const content = from.offer();
    const indexMin = Math.max(effect.snapshot.index, effect.session);
    assert(
      content.meta.index >= indexMin,
      () => `${from.name} owes a snapshot from ${indexMin} on but holds ${content.meta.index}`,
    );
    this.network.sendSnapshot(
      {
        type: 'snapshot',
        from: from.id,
        to: effect.to,
        term: effect.term,
        snapshot: content.meta,
        session: effect.session,
      },
      content,
    );
  }

  outcome(node: SimNode, effect: { readonly token: Token; readonly outcome: Outcome }): void {
    this.#note(`${node.name} token ${effect.token}: ${effect.outcome.kind}`);
    this.requests.outcome(node.name, effect.token, effect.outcome);
  }

  durableOnQuorum(conf: ConfState, index: LogIndex, term: Term): boolean {
    return isQuorum(conf, (id) => this.#node(id)?.disk.holds(index, term) ?? false);
  }

  #node(id: NodeId): SimNode | undefined {
    return this.nodes[Number(id) - 1];
  }

  #note(text: string): void {
    this.#trace.push(text);
    if (this.#trace.length > TRACE_KEPT) this.#trace.splice(0, TRACE_KEPT / 2);
  }

  #stepNode(node: SimNode, input: Input): void {
    const wasLeader = node.status.role === 'leader';
    node.step(input);
    if (!wasLeader && node.status.role === 'leader') {
      this.#elections++;
      this.#note(`${node.name} leads term ${node.status.term}`);
    }
  }

  // What may happen.

  #step(): void {
    const event = this.#draw();
    const node = must(this.random.pick(this.nodes), 'node');
    if (this.#happen(event, node)) this.#counts[event]++;
  }

  #draw(): SimEvent {
    const { weights } = this.plan;
    let total = 0;
    for (const event of SIM_EVENTS) total += weights[event];
    let at = this.random.below(total);
    for (const event of SIM_EVENTS) {
      at -= weights[event];
      if (at < 0) return event;
    }
    return 'tick';
  }

  #happen(event: SimEvent, node: SimNode): boolean {
    if (event === 'deliver') return this.#deliver();
    if (event === 'partition') return this.network.cut(this.plan.nodeCount);
    if (event === 'heal') return this.network.mend();
    if (event === 'restart') return this.#restart(node);
    if (event === 'wipe') return this.#wipe(node);
    if (!node.up) return false;
    if (event !== 'tick') this.#note(`${node.name} ${event}`);
    switch (event) {
      case 'tick':
        this.#tick(this.plan.readsByLease ? this.nodes : [node]);
        return true;
      case 'sync':
        if (!node.hasUnsynced) return false;
        node.sync(1 + this.random.below(4));
        return true;
      case 'acknowledge':
        node.acknowledge();
        return true;
      case 'apply':
        if (!node.hasPage) return false;
        node.apply(1 + this.random.below(4));
        return true;
      case 'crash':
        node.crash();
        this.requests.crashed(node.name);
        return true;
      default:
        this.#request(event, node);
        return true;
    }
  }

  #tick(nodes: readonly SimNode[]): void {
    for (const node of nodes) if (node.up) this.#stepNode(node, { type: 'tick' });
  }

  #request(event: Exclude<SimEvent, WorldEvent>, node: SimNode): void {
    switch (event) {
      case 'propose':
        this.#propose(node);
        return;
      case 'read':
        this.#stepNode(node, { type: 'read', token: this.requests.read(node.name) });
        return;
      case 'change':
        this.#stepNode(node, {
          type: 'changeConfig',
          token: this.requests.change(node.name),
          change: this.#drawChange(),
        });
        return;
      case 'transfer': {
        const target = BigInt(1 + this.random.below(this.plan.nodeCount));
        this.#stepNode(node, {
          type: 'transfer',
          token: this.requests.transfer(node.name),
          target,
        });
        return;
      }
      case 'snapshot': {
        const applied = node.machine.meta.index;
        node.takeSnapshot(Math.max(0, applied - this.random.below(4)));
        return;
      }
      case 'campaign':
        this.#stepNode(node, { type: 'campaign' });
        return;
      case 'forgetLeader':
        this.#stepNode(node, { type: 'forgetLeader' });
        return;
      case 'unreachable': {
        const peer = BigInt(1 + this.random.below(this.plan.nodeCount));
        this.#stepNode(node, { type: 'unreachable', peer });
        return;
      }
      default:
        unreachable(event);
    }
  }

  #propose(node: SimNode): void {
    const proposals = [];
    const count = 1 + this.random.below(3);
    for (let at = 0; at < count; at++) {
      const data = utf8(`c${++this.#command}`);
      proposals.push({ token: this.requests.propose(node.name, data), data });
    }
    this.#stepNode(node, { type: 'propose', proposals });
  }

  #drawChange(): ConfigChange {
    const steps: ConfigStep[] = [];
    const count = [0, 1, 1, 1, 2, 3][this.random.below(6)] ?? 1;
    for (let at = 0; at < count; at++) {
      const op = (['addVoter', 'addLearner', 'remove', 'addVoter'] as const)[this.random.below(4)];
      const node = BigInt(1 + this.random.below(this.plan.nodeCount));
      if (op !== undefined && !steps.some((step) => step.node === node)) steps.push({ op, node });
    }
    const transition = (['auto', 'implicit', 'explicit'] as const)[this.random.below(3)] ?? 'auto';
    return { steps, transition, context: utf8(`x${++this.#command}`) };
  }

  #deliver(): boolean {
    const flight = this.network.next();
    if (flight === undefined) return false;
    const node = this.#node(flight.message.to);
    const { message, content } = flight;
    const isLost =
      this.network.isCut(message.from, message.to) ||
      (content !== undefined && this.network.isLost());
    const arrives = node?.up === true && !isLost;
    if (arrives) {
      this.#note(`${node.name} <- ${message.from} ${message.type} term ${message.term}`);
      if (message.type === 'snapshot') {
        node.receiveSnapshot(message, must(content, 'content of a snapshot'));
      } else this.#stepNode(node, { type: 'message', message });
    }
    if (message.type === 'snapshot') this.#reportSnapshot(message, arrives);
    return true;
  }

  #reportSnapshot(message: Message & { readonly type: 'snapshot' }, ok: boolean): void {
    const sender = this.#node(message.from);
    if (sender?.up !== true || sender.status.term !== message.term) return;
    const { index } = message.snapshot;
    this.#stepNode(sender, { type: 'snapshotReport', to: message.to, index, ok });
  }

  #restart(node: SimNode): boolean {
    if (node.up) return false;
    this.#note(`${node.name} restarts`);
    node.restart();
    return true;
  }

  /**
   * Gives the id of a removed node to a new one with an empty disk.
   *
   * Only when the removal is beyond doubt: something was committed under a configuration without the id.
   * Before that an old configuration could still count the empty node as one that remembers.
   */
  #wipe(node: SimNode): boolean {
    if (node.life > 0 && node.disk.lastIndex === 0) return false;
    const decided = this.ghost.decidedUnder;
    const isMember = this.nodes.some(
      (other) => other.configIndex >= decided && mentions(other.confState, node.id),
    );
    const mayReturn = this.nodes.some((other) => other !== node && this.#mayAdd(other, node.id));
    const known = this.nodes.some(
      (other) => other.configIndex === decided && !mentions(other.confState, node.id),
    );
    if (isMember || mayReturn || !known) return false;
    this.#note(`${node.name} is wiped`);
    this.requests.crashed(node.name);
    node.wipe();
    return true;
  }

  /** Whether a log holds a change after the decided configuration that names the id. */
  #mayAdd(node: SimNode, id: NodeId): boolean {
    const { lastIndex } = node.status;
    const entries = node.core.entries(this.ghost.decidedUnder + 1, lastIndex);
    return entries.some(
      ({ payload }) =>
        payload.kind === 'config' && payload.change.steps.some((step) => step.node === id),
    );
  }

  // Healing.

  /** Everything works again: within a bound of ticks all agree, and every request has its answer. */
  #heal(): void {
    this.#note('healing');
    this.network.becomePerfect();
    for (const node of this.nodes) if (!node.up) node.restart();
    let ticks = 0;
    let last: Token | undefined;
    while (!this.#isWhole(last)) {
      assert(
        ticks < HEALING_TICKS_MAX,
        () => `not whole after ${ticks} ticks: ${this.#describe()}`,
      );
      ticks++;
      for (const node of this.nodes) this.#stepNode(node, { type: 'tick' });
      this.#drain();
      last = this.#proposeLast(last);
      this.#drain();
    }
    this.#healingTicks = ticks;
  }

  /** A healed cluster takes a proposal and commits it. */
  #proposeLast(last: Token | undefined): Token | undefined {
    if (last !== undefined && this.requests.isPendingOrCommitted(last)) return last;
    const leader = this.#leader();
    if (leader === undefined) return undefined;
    if (!mentions(leader.confState, leader.id)) {
      this.#handOver(leader);
      return undefined;
    }
    const data = utf8(`c${++this.#command}`);
    const token = this.requests.propose(leader.name, data);
    this.#stepNode(leader, { type: 'propose', proposals: [{ token, data }] });
    return token;
  }

  /** A removed leader that was told not to step down takes nothing new: its driver hands over. */
  #handOver(leader: SimNode): void {
    const [target] = leader.confState.voters;
    if (target === undefined) return;
    const token = this.requests.transfer(leader.name);
    this.#stepNode(leader, { type: 'transfer', token, target });
  }

  #leader(): SimNode | undefined {
    const leaders = this.nodes.filter((node) => node.status.role === 'leader');
    return leaders.sort((a, b) => b.status.term - a.status.term)[0];
  }

  #drain(): void {
    for (let rounds = 0; rounds < DRAIN_ROUNDS_MAX; rounds++) {
      let worked = false;
      for (const node of this.nodes) {
        while (node.hasUnsynced || node.hasUnacknowledged) {
          worked = true;
          node.sync(Number.MAX_SAFE_INTEGER);
          node.acknowledge();
        }
        while (node.hasPage) {
          worked = true;
          node.apply(Number.MAX_SAFE_INTEGER);
        }
      }
      for (let count = this.network.size; count > 0; count--) worked = this.#deliver() || worked;
      if (!worked) return;
    }
    assert(false, 'a healed cluster never comes to rest between two ticks');
  }

  #isWhole(last: Token | undefined): boolean {
    if (last === undefined || !this.requests.isCommitted(last)) return false;
    const leader = this.#leader();
    if (leader === undefined || this.#open(leader).length > 0) return false;
    const { commit } = leader.status;
    return this.nodes.every(
      (node) =>
        !mentions(leader.confState, node.id) ||
        (node.status.commit === commit && node.machine.meta.index === commit),
    );
  }

  #describe(): string {
    const nodes = this.nodes.map(
      ({ name, status, machine }) =>
        `${name}(${status.role} term ${status.term} leader ${status.leader} last ` +
        `${status.lastIndex} commit ${status.commit} applied ${machine.meta.index})`,
    );
    const leader = this.#leader();
    const open = leader === undefined ? [] : this.#open(leader);
    return `${nodes.join(' ')}; open: ${open.join(', ')}`;
  }

  /** Requests that are not answered, judged by the leader's configuration. */
  #open(leader: SimNode): readonly string[] {
    const members = this.nodes.filter(({ id }) => mentions(leader.confState, id));
    return this.requests.openAt(
      (name) => members.some((node) => node.name === name),
      this.plan.checkQuorum,
    );
  }
}

type WorldEvent =
  | 'tick'
  | 'deliver'
  | 'sync'
  | 'acknowledge'
  | 'apply'
  | 'crash'
  | 'restart'
  | 'wipe'
  | 'partition'
  | 'heal';

/** Messages and writes between two ticks settle long before this. */
const DRAIN_ROUNDS_MAX = 10_000;

function ids(count: number): readonly NodeId[] {
  return Array.from({ length: count }, (_, at) => BigInt(at + 1));
}

function mentions(conf: ConfState, id: NodeId): boolean {
  return (
    conf.voters.includes(id) ||
    conf.votersOutgoing.includes(id) ||
    conf.learners.includes(id) ||
    conf.learnersNext.includes(id)
  );
}
