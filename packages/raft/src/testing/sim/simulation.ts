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
  Proposal,
  RaftConfig,
  SendSnapshotEffect,
  Term,
  Token,
} from '../../index.ts';
import { Ghost, isQuorum } from './ghost.ts';
import { heal } from './healing.ts';
import type { SimSnapshot } from './disk.ts';
import { EMPTY_SNAPSHOT, SimNode, type SimWorld } from './node.ts';
import { SIM_EVENTS, type SimEvent, type SimPlan } from './plan.ts';
import { SimRandom } from './random.ts';
import { SimNetwork } from './network.ts';
import { Requests } from './requests.ts';
import { mayReuse } from './reuse.ts';

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
  #isHealing = false;
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
      quietCommits: plan.quietCommits,
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
      this.#note('healing');
      this.#isHealing = true;
      this.#healingTicks = heal(this);
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

  /** Steps a node, or lets it wait for more to step together, and notes when it is elected. */
  stepNode(node: SimNode, input: Input): void {
    const wasLeader = node.status.role === 'leader';
    const mayWait = input.type === 'message' || input.type === 'propose' || input.type === 'read';
    const { batchMax } = this.plan;
    if (this.#isHealing || batchMax === 1 || !mayWait) node.step(input);
    else node.enqueue(input, 1 + this.random.below(batchMax));
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
    if (event === 'deliver') return this.deliver();
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
    for (const node of nodes) if (node.up) this.stepNode(node, { type: 'tick' });
  }

  #request(event: Exclude<SimEvent, WorldEvent>, node: SimNode): void {
    switch (event) {
      case 'propose':
        this.propose(node, 1 + this.random.below(3));
        return;
      case 'read':
        this.stepNode(node, { type: 'read', token: this.requests.read(node.name) });
        return;
      case 'change':
        this.stepNode(node, {
          type: 'changeConfig',
          token: this.requests.change(node.name),
          change: this.#drawChange(),
        });
        return;
      case 'transfer': {
        const target = BigInt(1 + this.random.below(this.plan.nodeCount));
        this.stepNode(node, {
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
        this.stepNode(node, { type: 'campaign' });
        return;
      case 'forgetLeader':
        this.stepNode(node, { type: 'forgetLeader' });
        return;
      case 'unreachable': {
        const peer = BigInt(1 + this.random.below(this.plan.nodeCount));
        this.stepNode(node, { type: 'unreachable', peer });
        return;
      }
      default:
        unreachable(event);
    }
  }

  /** Proposes commands that nothing else proposes; their tokens. */
  propose(node: SimNode, count: number): readonly Token[] {
    const proposals: Proposal[] = [];
    for (let at = 0; at < count; at++) {
      const data = utf8(`c${++this.#command}`);
      proposals.push({ token: this.requests.propose(node.name, data), data });
    }
    this.stepNode(node, { type: 'propose', proposals });
    return proposals.map((proposal) => proposal.token);
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

  /** Delivers the next message, or loses it; false when none is in flight. */
  deliver(): boolean {
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
      } else this.stepNode(node, { type: 'message', message });
    }
    if (message.type === 'snapshot') this.#reportSnapshot(message, arrives);
    return true;
  }

  #reportSnapshot(message: Message & { readonly type: 'snapshot' }, ok: boolean): void {
    const sender = this.#node(message.from);
    if (sender?.up !== true || sender.status.term !== message.term) return;
    const { index } = message.snapshot;
    this.stepNode(sender, { type: 'snapshotReport', to: message.to, index, ok });
  }

  #restart(node: SimNode): boolean {
    if (node.up) return false;
    this.#note(`${node.name} restarts`);
    node.restart();
    return true;
  }

  /** Gives the id of a removed node to a new one with an empty disk. */
  #wipe(node: SimNode): boolean {
    if (!mayReuse(this.nodes, node, this.ghost.decidedUnder)) return false;
    this.#note(`${node.name} is wiped`);
    this.requests.crashed(node.name);
    node.wipe();
    return true;
  }
}

/** Events that the world or a node's driver makes, not a caller. */
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

function ids(count: number): readonly NodeId[] {
  return Array.from({ length: count }, (_, at) => BigInt(at + 1));
}
