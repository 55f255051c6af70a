import { assert } from '@etcd-ts/base';
import { membersOf } from '../../conf-change.ts';
import type { Token } from '../../index.ts';
import type { SimNode } from './node.ts';
import type { Simulation } from './simulation.ts';

/** Ticks per node within which a healed cluster must agree on everything again. */
export const HEALING_TICKS_MAX = 400;
/** Messages and writes between two ticks settle long before this. */
const DRAIN_ROUNDS_MAX = 10_000;

/**
 * Lets everything work again, and waits until all agree, a new proposal is committed and every request has its
 * answer.
 *
 * @returns The ticks that it took.
 * @throws InvariantError when it takes more than {@link HEALING_TICKS_MAX}.
 */
export function heal(sim: Simulation): number {
  sim.network.becomePerfect();
  for (const node of sim.nodes) if (!node.up) node.restart();
  let ticks = 0;
  let last: Token | undefined;
  while (!isWhole(sim, last)) {
    assert(ticks < HEALING_TICKS_MAX, () => `not whole after ${ticks} ticks: ${describe(sim)}`);
    ticks++;
    for (const node of sim.nodes) sim.stepNode(node, { type: 'tick' });
    drain(sim);
    last = proposeLast(sim, last);
    drain(sim);
  }
  return ticks;
}

/** A healed cluster takes a proposal and commits it. */
function proposeLast(sim: Simulation, last: Token | undefined): Token | undefined {
  if (last !== undefined && sim.requests.isPendingOrCommitted(last)) return last;
  const leader = leaderOf(sim);
  if (leader === undefined) return undefined;
  if (isIn(leader, leader)) return sim.propose(leader, 1)[0];
  handOver(sim, leader);
  return undefined;
}

/** A removed leader that was told not to step down takes nothing new: its driver hands over. */
function handOver(sim: Simulation, leader: SimNode): void {
  const [target] = leader.confState.voters;
  if (target === undefined) return;
  const token = sim.requests.transfer(leader.name);
  sim.stepNode(leader, { type: 'transfer', token, target });
}

function leaderOf(sim: Simulation): SimNode | undefined {
  const leaders = sim.nodes.filter((node) => node.status.role === 'leader');
  return leaders.sort((a, b) => b.status.term - a.status.term)[0];
}

/** Whether the node is in the leader's configuration. */
function isIn(leader: SimNode, node: SimNode): boolean {
  return membersOf(leader.confState).includes(node.id);
}

/** Lets disks, state machines and the network work until there is nothing left to do. */
function drain(sim: Simulation): void {
  for (let rounds = 0; rounds < DRAIN_ROUNDS_MAX; rounds++) {
    let worked = false;
    for (const node of sim.nodes) {
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
    for (let count = sim.network.size; count > 0; count--) worked = sim.deliver() || worked;
    if (!worked) return;
  }
  assert(false, 'a healed cluster never comes to rest between two ticks');
}

function isWhole(sim: Simulation, last: Token | undefined): boolean {
  if (last === undefined || !sim.requests.isCommitted(last)) return false;
  const leader = leaderOf(sim);
  if (leader === undefined || openRequests(sim, leader).length > 0) return false;
  const { commit } = leader.status;
  return sim.nodes.every(
    (node) =>
      !isIn(leader, node) || (node.status.commit === commit && node.machine.meta.index === commit),
  );
}

/** Requests that are not answered, judged by the leader's configuration. */
function openRequests(sim: Simulation, leader: SimNode): readonly string[] {
  const members = sim.nodes.filter((node) => isIn(leader, node));
  return sim.requests.openAt((name) => members.some((node) => node.name === name));
}

function describe(sim: Simulation): string {
  const nodes = sim.nodes.map(
    ({ name, status, machine }) =>
      `${name}(${status.role} term ${status.term} leader ${status.leader} last ` +
      `${status.lastIndex} commit ${status.commit} applied ${machine.meta.index})`,
  );
  const leader = leaderOf(sim);
  const open = leader === undefined ? [] : openRequests(sim, leader);
  return `${nodes.join(' ')}; open: ${open.join(', ')}`;
}
