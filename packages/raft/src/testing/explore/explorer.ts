import { utf8 } from '@etcd-ts/base';
import type { Message } from '../../index.ts';
import { toNumber } from './hash.ts';
import type { Scope } from './scope.ts';
import {
  afterCrash,
  afterSync,
  afterTurn,
  EXPLORE_TOKENS,
  firstWorld,
  type Flight,
  hashWorld,
  isSameStream,
  nodeAt,
  type WorldState,
} from './world.ts';

/** What an exploration saw. */
export interface Exploration {
  readonly scope: string;
  /** Distinct states. */
  readonly states: number;
  /** Steps taken between them, those to known states included. */
  readonly transitions: number;
  /** True when nothing within the scope was left out. */
  readonly isExhausted: boolean;
  readonly depthMax: number;
}

/** A history that breaks an invariant. */
export class ExplorationFailure extends Error {
  override readonly name = 'ExplorationFailure';
  readonly history: readonly string[];

  constructor(scope: string, history: readonly string[], cause: Error) {
    super(`${scope}: ${cause.message}\n  ${history.join('\n  ')}`, { cause });
    this.history = history;
  }
}

interface Step {
  readonly name: string;
  readonly next: () => WorldState;
}

interface Frame {
  readonly name: string;
  readonly steps: readonly Step[];
  at: number;
}

/**
 * Visits every state of a scope, depth first, and checks the invariants in each.
 *
 * @throws ExplorationFailure with the history that leads to the first broken one.
 */
export function explore(scope: Scope): Exploration {
  const seen = new Set<number>();
  const first = firstWorld(scope);
  seen.add(toNumber(hashWorld(scope, first)));
  const stack: Frame[] = [{ name: 'start', steps: stepsOf(scope, first), at: 0 }];
  let transitions = 0;
  let depthMax = 0;
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const step = frame.steps[frame.at++];
    if (step === undefined) {
      stack.pop();
      continue;
    }
    if (seen.size >= scope.statesMax) break;
    const next = take(scope, stack, step);
    transitions++;
    const key = toNumber(hashWorld(scope, next));
    if (seen.has(key)) continue;
    seen.add(key);
    stack.push({ name: step.name, steps: stepsOf(scope, next), at: 0 });
    depthMax = Math.max(depthMax, stack.length);
  }
  return {
    scope: scope.name,
    states: seen.size,
    transitions,
    isExhausted: stack.length === 0,
    depthMax,
  };
}

function take(scope: Scope, stack: readonly Frame[], step: Step): WorldState {
  try {
    return step.next();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const history = [...stack.map((frame) => frame.name), step.name];
    throw new ExplorationFailure(scope.name, history, error);
  }
}

/** Everything that may happen next. */
function stepsOf(scope: Scope, world: WorldState): readonly Step[] {
  const steps: Step[] = [];
  for (let at = 0; at < world.nodes.length; at++) {
    addWork(steps, scope, world, at);
    addRequests(steps, scope, world, at);
  }
  addDeliveries(steps, scope, world);
  return steps;
}

/** Syncing, applying, crashing. */
function addWork(steps: Step[], scope: Scope, world: WorldState, at: number): void {
  const { core, unsynced, page } = nodeAt(world, at);
  const { budget } = world;
  if (unsynced.length > 0) {
    steps.push({ name: `${core.id} syncs`, next: () => afterSync(scope, world, at) });
  }
  if (page.length > 0) {
    const apply = (): WorldState => afterTurn(scope, world, at, (turn) => turn.apply());
    steps.push({ name: `${core.id} applies`, next: apply });
  }
  if (budget.crashes > 0) {
    steps.push({ name: `${core.id} crashes`, next: () => afterCrash(scope, world, at) });
  }
}

/** Campaigns, proposals, changes, reads, heartbeats. */
function addRequests(steps: Step[], scope: Scope, world: WorldState, at: number): void {
  const { core } = nodeAt(world, at);
  const { budget } = world;
  const isLeader = core.role === 'leader';
  const mayCampaign = budget.campaigns > 0 && core.term < scope.termMax;
  if (!isLeader && mayCampaign && scope.campaigners.includes(core.id)) {
    const next = { budget: { ...budget, campaigns: budget.campaigns - 1 } };
    steps.push({
      name: `${core.id} campaigns`,
      next: () => afterTurn(scope, world, at, (turn) => turn.step({ type: 'campaign' }), next),
    });
  }
  if (!isLeader) return;
  if (budget.proposals > 0) {
    const data = utf8(`${core.id}.${core.term}.${budget.proposals}`);
    const proposals = [{ token: EXPLORE_TOKENS.write, data }];
    const next = { budget: { ...budget, proposals: budget.proposals - 1 } };
    steps.push({
      name: `${core.id} proposes`,
      next: () =>
        afterTurn(scope, world, at, (turn) => turn.step({ type: 'propose', proposals }), next),
    });
  }
  const change = scope.changes[scope.changes.length - budget.changes];
  if (change !== undefined) {
    const next = { budget: { ...budget, changes: budget.changes - 1 } };
    const input = { type: 'changeConfig', token: EXPLORE_TOKENS.write, change } as const;
    steps.push({
      name: `${core.id} changes the configuration`,
      next: () => afterTurn(scope, world, at, (turn) => turn.step(input), next),
    });
  }
  if (budget.reads > 0) {
    const next = {
      budget: { ...budget, reads: budget.reads - 1 },
      readFloor: world.committed.length,
    };
    const input = { type: 'read', token: EXPLORE_TOKENS.read } as const;
    steps.push({
      name: `${core.id} reads`,
      next: () => afterTurn(scope, world, at, (turn) => turn.step(input), next),
    });
  }
  if (budget.heartbeats > 0) {
    const next = { budget: { ...budget, heartbeats: budget.heartbeats - 1 } };
    steps.push({
      name: `${core.id} ticks`,
      next: () => afterTurn(scope, world, at, (turn) => turn.step({ type: 'tick' }), next),
    });
  }
}

/** Every message may come next, or the first of each stream; or be lost; or come and stay. */
function addDeliveries(steps: Step[], scope: Scope, world: WorldState): void {
  const { flights, budget } = world;
  for (const [position, flight] of flights.entries()) {
    const waits = (other: Flight): boolean =>
      scope.isOrdered ? isSameStream(other.message, flight.message) : isSame(other, flight);
    if (flights.findIndex(waits) < position) continue;
    const { message } = flight;
    const rest = flights.filter((_, other) => other !== position);
    const deliver = (kept: readonly Flight[], left: typeof budget): WorldState =>
      afterTurn(
        scope,
        world,
        Number(message.to) - 1,
        (turn) => turn.step({ type: 'message', message }),
        { flights: kept, budget: left },
      );
    const name = describeDelivery(message);
    steps.push({ name, next: () => deliver(rest, budget) });
    if (budget.losses > 0) {
      const left = { ...budget, losses: budget.losses - 1 };
      steps.push({
        name: `${name} is lost`,
        next: () => ({ ...world, flights: rest, budget: left }),
      });
    }
    if (budget.duplicates > 0) {
      const left = { ...budget, duplicates: budget.duplicates - 1 };
      steps.push({ name: `${name} (and stays)`, next: () => deliver(flights, left) });
    }
  }
}

function isSame(a: Flight, b: Flight): boolean {
  return a.hash.high === b.hash.high && a.hash.low === b.hash.low;
}

function describeDelivery(message: Message): string {
  return `${message.to} <- ${message.from} ${message.type} term ${message.term}`;
}
