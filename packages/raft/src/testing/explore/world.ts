import { assert, unreachable } from '@etcd-ts/base';
import { resolveConfig } from '../../config.ts';
import { drain } from '../../drain.ts';
import { initialState } from '../../initial.ts';
import { checkState } from '../../invariants.ts';
import type { RaftState } from '../../state.ts';
import { stepInput } from '../../step-input.ts';
import {
  type ConfState,
  type Effect,
  type Entry,
  type HardState,
  type Input,
  type LogIndex,
  type Message,
  NO_NODE,
  type NodeId,
  type PersistEffect,
  type Term,
} from '../../index.ts';
import { isQuorum } from '../sim/ghost.ts';
import { payloadKey } from '../sim/machine.ts';
import { coreKey } from './core-key.ts';
import { add, combine, type Hash, hashText } from './hash.ts';
import type { Scope } from './scope.ts';

/** A node as a value: it is copied before it is stepped, never changed. */
export interface NodeState {
  readonly core: RaftState;
  readonly hardState: HardState;
  /** Durable entries, from index 1. */
  readonly entries: readonly Entry[];
  readonly unsynced: readonly PersistEffect[];
  readonly page: readonly Entry[];
  readonly applied: LogIndex;
  readonly hash: Hash;
}

/** A message in flight, with its hash. */
export interface Flight {
  readonly message: Message;
  readonly hash: Hash;
}

/** What may still happen in this history. */
export interface Budget {
  readonly campaigns: number;
  readonly proposals: number;
  readonly changes: number;
  readonly reads: number;
  readonly heartbeats: number;
  readonly crashes: number;
  readonly losses: number;
  readonly duplicates: number;
}

/** A committed entry, and the term of the leader that committed it. */
export interface Committed {
  readonly entry: Entry;
  readonly decidedIn: Term;
}

/** One state of the whole world, its past included as far as the invariants need it. */
export interface WorldState {
  readonly nodes: readonly NodeState[];
  readonly flights: readonly Flight[];
  readonly budget: Budget;
  /** Leader of each term so far, by term. */
  readonly leaders: readonly NodeId[];
  /** Every committed entry, from index 1. */
  readonly committed: readonly Committed[];
  /** Committed index at the start of the read that waits. */
  readonly readFloor: LogIndex;
}

const FIRST_HARD_STATE: HardState = { term: 0, vote: NO_NODE, commit: 0 };
const READ_TOKEN = 1;
const WRITE_TOKEN = 2;

/** The state in which a scope begins: equal empty logs, nobody leads. */
export function firstWorld(scope: Scope): WorldState {
  const nodes: NodeState[] = [];
  for (let id = 1; id <= scope.nodes; id++) {
    nodes.push(startNode(scope, BigInt(id), FIRST_HARD_STATE, []));
  }
  const { campaigns, proposals, changes, reads, heartbeats, crashes, losses, duplicates } = scope;
  return {
    nodes,
    flights: [],
    budget: {
      campaigns,
      proposals,
      changes: changes.length,
      reads,
      heartbeats,
      crashes,
      losses,
      duplicates,
    },
    leaders: [],
    committed: [],
    readFloor: 0,
  };
}

function startNode(
  scope: Scope,
  id: NodeId,
  hardState: HardState,
  entries: readonly Entry[],
): NodeState {
  const core = initialState(
    resolveConfig({ ...scope.config, id, seed: Number(id) }),
    {
      hardState,
      snapshotIndex: 0,
      snapshotTerm: 0,
      confState: scope.confState,
      entries,
      applied: 0,
    },
    undefined,
  );
  return sealed({ core, hardState, entries, unsynced: [], page: [], applied: 0 });
}

function sealed(state: Omit<NodeState, 'hash'>): NodeState {
  return { ...state, hash: hashText(nodeKey(state)) };
}

/** Everything that decides what a node does from here on. */
function nodeKey(state: Omit<NodeState, 'hash'>): string {
  const { core, hardState, entries, unsynced, page, applied } = state;
  const log = entries.map((entry) => entry.term).join(',');
  const groups = unsynced.map((group) => `${group.group}:${group.messages.length}`).join(',');
  return (
    `${coreKey(core)}/${hardState.term} ${hardState.vote} ${hardState.commit}/${log}/${groups}/` +
    `${page.length} ${applied}`
  );
}

/** Hash of a whole state: nodes in order, messages as a bag or as streams, budgets and the past. */
export function hashWorld(scope: Scope, world: WorldState): Hash {
  let hash: Hash = { high: 0, low: 0 };
  for (const flight of world.flights) {
    hash = add(hash, scope.isOrdered ? combine(flight.hash, placeOf(world, flight)) : flight.hash);
  }
  for (const node of world.nodes) hash = combine(hash, node.hash);
  const { budget } = world;
  const past =
    `${budget.campaigns} ${budget.proposals} ${budget.changes} ${budget.reads} ${budget.heartbeats} ` +
    `${budget.crashes} ${budget.losses} ${budget.duplicates}/${world.leaders.join(' ')}/` +
    `${world.committed.map(({ entry, decidedIn }) => `${entry.term}-${decidedIn}`).join(' ')}/${world.readFloor}`;
  return combine(hash, hashText(past));
}

/** How many messages of the same stream are before this one. */
function placeOf(world: WorldState, flight: Flight): Hash {
  let place = 0;
  for (const other of world.flights) {
    if (other === flight) break;
    if (isSameStream(other.message, flight.message)) place++;
  }
  return { high: place, low: place };
}

/** From the same node to the same node. */
export function isSameStream(a: Message, b: Message): boolean {
  return a.from === b.from && a.to === b.to;
}

const keys = new WeakMap<Message, Hash>();

function flightOf(message: Message): Flight {
  let hash = keys.get(message);
  if (hash === undefined) {
    hash = hashText(
      JSON.stringify(message, (_, value: unknown) => {
        return typeof value === 'bigint' ? `${value}n` : value;
      }),
    );
    keys.set(message, hash);
  }
  return { message, hash };
}

/** A turn under way: what the stepped node becomes and what it sent. */
class Turn {
  readonly scope: Scope;
  readonly core: RaftState;
  flights: Flight[];
  unsynced: PersistEffect[];
  page: readonly Entry[];
  applied: LogIndex;
  leaders: readonly NodeId[];
  readonly #world: WorldState;

  constructor(scope: Scope, world: WorldState, node: NodeState) {
    this.scope = scope;
    this.#world = world;
    this.core = node.core.clone();
    this.flights = [...world.flights];
    this.unsynced = [...node.unsynced];
    this.page = node.page;
    this.applied = node.applied;
    this.leaders = world.leaders;
  }

  step(input: Input): void {
    stepInput(this.core, input);
    for (const effect of drain(this.core)) this.perform(effect);
    checkState(this.core);
  }

  perform(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.unsynced.push(effect);
        return;
      case 'send':
        this.send(effect.messages);
        return;
      case 'apply':
        this.page = effect.entries;
        if (!this.scope.appliesLate) this.apply();
        return;
      case 'role':
        if (effect.role === 'leader') this.#elected(effect.term);
        return;
      case 'outcome':
        if (effect.token === READ_TOKEN && effect.outcome.kind === 'readable') {
          const { index } = effect.outcome;
          const floor = this.#world.readFloor;
          assert(index >= floor, () => `R10: read at ${index}, ${floor} was committed before`);
        }
        return;
      case 'halt':
        assert(false, `halt: ${effect.reason}`);
        return;
      case 'sendSnapshot':
      case 'config':
      case 'notice':
        return;
      default:
        unreachable(effect);
    }
  }

  send(messages: readonly Message[]): void {
    for (const message of messages) this.flights.push(flightOf(message));
  }

  apply(): void {
    const last = this.page.at(-1);
    if (last === undefined) return;
    this.page = [];
    this.applied = last.index;
    this.step({ type: 'applied', index: last.index });
  }

  /** R1, R5. */
  #elected(term: Term): void {
    const { id } = this.core;
    const other = this.leaders[term];
    assert(
      other === undefined || other === NO_NODE || other === id,
      () => `R1: ${other} and ${id} lead term ${term}`,
    );
    const leaders = [...this.leaders];
    for (let at = leaders.length; at < term; at++) leaders.push(NO_NODE);
    leaders[term] = id;
    this.leaders = leaders;
    for (const { entry, decidedIn } of this.#world.committed) {
      assert(
        decidedIn >= term || this.core.log.termAt(entry.index) === entry.term,
        () => `R5: ${id} leads term ${term} without ${entry.term}/${entry.index}`,
      );
    }
  }
}

/** What a node does in its turn. */
export type Change = (turn: Turn) => void;

/** The world after one node did something. */
export function afterTurn(
  scope: Scope,
  world: WorldState,
  at: number,
  change: Change,
  fields: Partial<Pick<WorldState, 'budget' | 'flights' | 'readFloor'>> = {},
): WorldState {
  const before = nodeAt(world, at);
  const turn = new Turn(scope, { ...world, ...fields }, before);
  change(turn);
  const after = sealed({
    core: turn.core,
    hardState: before.hardState,
    entries: before.entries,
    unsynced: turn.unsynced,
    page: turn.page,
    applied: turn.applied,
  });
  const next = {
    ...world,
    ...fields,
    nodes: world.nodes.map((node, index) => (index === at ? after : node)),
    flights: turn.flights,
    leaders: turn.leaders,
  };
  const committed = withCommit(next, before, after);
  const isWriting = scope.syncsAtOnce && after.unsynced.length > 0;
  return isWriting ? afterSync(scope, committed, at) : committed;
}

/** Makes all that a node has not synced durable, lets its messages go and tells its core. */
export function afterSync(scope: Scope, world: WorldState, at: number): WorldState {
  const before = nodeAt(world, at);
  let { hardState } = before;
  const entries = [...before.entries];
  for (const group of before.unsynced) {
    const [first] = group.entries;
    if (first !== undefined) entries.length = first.index - 1;
    entries.push(...group.entries);
    hardState = group.hardState ?? hardState;
  }
  const durable = { ...before, hardState, entries, unsynced: [] };
  const nodes = world.nodes.map((node, index) => (index === at ? durable : node));
  return afterTurn(scope, { ...world, nodes }, at, (turn) => {
    for (const group of before.unsynced) {
      checkVotes(group.messages, hardState);
      turn.send(group.messages);
    }
    const last = before.unsynced.at(-1);
    if (last !== undefined) turn.step({ type: 'persisted', group: last.group });
  });
}

/** R2: a granted vote leaves only when it is durable. */
function checkVotes(messages: readonly Message[], hardState: HardState): void {
  for (const message of messages) {
    if (message.type !== 'voteResponse' || message.rejected) continue;
    assert(
      hardState.term > message.term ||
        (hardState.term === message.term && hardState.vote === message.to),
      () => `R2: vote for ${message.to} in term ${message.term} left before it was durable`,
    );
  }
}

/** The node goes down, loses what is not durable and starts again. */
export function afterCrash(scope: Scope, world: WorldState, at: number): WorldState {
  const { core, hardState, entries } = nodeAt(world, at);
  const after = startNode(scope, core.id, hardState, entries);
  const budget = { ...world.budget, crashes: world.budget.crashes - 1 };
  return {
    ...world,
    budget,
    nodes: world.nodes.map((node, index) => (index === at ? after : node)),
  };
}

/** R4, R6, R8: what a node commits is what everyone committed, and is durable on a quorum. */
function withCommit(world: WorldState, before: NodeState, after: NodeState): WorldState {
  const { core } = after;
  const { commit } = core.log;
  if (commit <= before.core.log.commit) return world;
  const committed = [...world.committed];
  for (let index = before.core.log.commit + 1; index <= commit; index++) {
    const entry = core.log.entryAt(index);
    assert(entry !== undefined, () => `R7: committed entry ${index} is not in the log`);
    const known = committed[index - 1];
    if (known === undefined) {
      checkDurable(world, [before.core.conf, core.conf], entry);
      committed.push({ entry, decidedIn: core.term });
      continue;
    }
    assert(
      known.entry.term === entry.term && payloadKey(known.entry) === payloadKey(entry),
      () =>
        `R6: ${core.id} commits ${entry.term}/${index}, committed is ${known.entry.term}/${index}`,
    );
  }
  return committed.length === world.committed.length ? world : { ...world, committed };
}

/** The change that this step committed may have taken effect in it: either configuration may have decided. */
function checkDurable(world: WorldState, confs: readonly ConfState[], entry: Entry): void {
  const holds = (id: NodeId): boolean =>
    world.nodes[Number(id) - 1]?.entries[entry.index - 1]?.term === entry.term;
  assert(
    confs.some((conf) => isQuorum(conf, holds)),
    () => `R8: ${entry.term}/${entry.index} is committed but not durable on a quorum`,
  );
}

/** The node at a place. Throws when there is none. */
export function nodeAt(world: WorldState, at: number): NodeState {
  const node = world.nodes[at];
  assert(node !== undefined, () => `no node at ${at}`);
  return node;
}

/** Tokens of the requests in an exploration. */
export const EXPLORE_TOKENS: { readonly read: number; readonly write: number } = {
  read: READ_TOKEN,
  write: WRITE_TOKEN,
};
