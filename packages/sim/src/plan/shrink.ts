/**
 * Makes a failing plan smaller while it goes on failing in the same way: first whole faults, clients and steps by
 * halves (delta debugging), then members, then times.
 */
import type { Plan, PlannedClient } from './plan.ts';
import { NEEDS_PEERS, type PlannedFault } from './planned-fault.ts';

/** Runs a plan; true when it still shows the failure that is being looked for. */
export type StillFails = (plan: Plan) => Promise<boolean>;

/** How a shrinking went. */
export interface ShrinkResult {
  readonly plan: Plan;
  readonly runs: number;
}

/** Runs after which a shrinking stops with what it has. */
export const MAX_SHRINK_RUNS = 600;

/** Shrinks a plan that fails. */
export async function shrinkPlan(
  plan: Plan,
  stillFails: StillFails,
  maxRuns: number = MAX_SHRINK_RUNS,
): Promise<ShrinkResult> {
  const shrinker = new Shrinker(stillFails, maxRuns);
  let best = plan;
  for (;;) {
    const before = sizeOf(best);
    best = await shrinker.faults(best);
    best = await shrinker.clients(best);
    best = await shrinker.steps(best);
    best = await shrinker.members(best);
    best = await shrinker.times(best);
    if (sizeOf(best) >= before || shrinker.isSpent) return { plan: best, runs: shrinker.runs };
  }
}

/** How large a plan is: what a shrinking brings down. */
export function sizeOf(plan: Plan): number {
  const steps = plan.clients.reduce((sum, client) => sum + client.steps.length, 0);
  return steps + 5 * plan.faults.length + 20 * plan.members + plan.safetyMs / 1000;
}

class Shrinker {
  readonly #stillFails: StillFails;
  readonly #maxRuns: number;
  runs = 0;

  constructor(stillFails: StillFails, maxRuns: number) {
    this.#stillFails = stillFails;
    this.#maxRuns = maxRuns;
  }

  get isSpent(): boolean {
    return this.runs >= this.#maxRuns;
  }

  async faults(plan: Plan): Promise<Plan> {
    const faults = await this.#fewest<PlannedFault>(plan.faults, (kept) => ({
      ...plan,
      faults: kept,
    }));
    return { ...plan, faults };
  }

  async clients(plan: Plan): Promise<Plan> {
    const clients = await this.#fewest<PlannedClient>(plan.clients, (kept) => ({
      ...plan,
      clients: kept,
    }));
    return { ...plan, clients };
  }

  /** All clients' steps as one list, so that halves may take away any of them. */
  async steps(plan: Plan): Promise<Plan> {
    const all = plan.clients.flatMap((client) => client.steps.map((step) => ({ client, step })));
    const rebuild = (kept: readonly (typeof all)[number][]): Plan => ({
      ...plan,
      clients: plan.clients.map((client) => ({
        ...client,
        steps: kept.filter((each) => each.client === client).map((each) => each.step),
      })),
    });
    return rebuild(await this.#fewest(all, rebuild));
  }

  async members(plan: Plan): Promise<Plan> {
    let best = plan;
    for (const members of [1, 3, 5]) {
      if (members >= best.members) break;
      const smaller: Plan = {
        ...best,
        members,
        clients: best.clients.map((client) => ({
          ...client,
          member: Math.min(client.member, members),
        })),
        faults: best.faults.flatMap((fault) => among(fault, members)),
      };
      if (await this.#fails(smaller)) best = smaller;
    }
    return best;
  }

  /** An earlier end, shorter faults, and everything moved towards the beginning. */
  async times(plan: Plan): Promise<Plan> {
    let best = plan;
    for (const share of [0.25, 0.5, 0.75, 0.9]) {
      const candidates: Plan[] = [
        { ...best, safetyMs: Math.ceil(best.safetyMs * share) },
        {
          ...best,
          faults: best.faults.map((fault) => ({ ...fault, forMs: Math.ceil(fault.forMs * share) })),
        },
        {
          ...best,
          safetyMs: Math.ceil(best.safetyMs * share),
          faults: best.faults.map((fault) => ({ ...fault, atMs: Math.ceil(fault.atMs * share) })),
          clients: best.clients.map((client) => ({
            ...client,
            steps: client.steps.map((step) => ({ ...step, atMs: Math.ceil(step.atMs * share) })),
          })),
        },
      ];
      for (const candidate of candidates) if (await this.#fails(candidate)) best = candidate;
    }
    return best;
  }

  async #fails(plan: Plan): Promise<boolean> {
    if (this.isSpent) return false;
    this.runs++;
    return this.#stillFails(plan);
  }

  /** Delta debugging: a list of which no single chunk at the finest size can be left out. */
  async #fewest<Item>(
    items: readonly Item[],
    rebuild: (kept: readonly Item[]) => Plan,
  ): Promise<readonly Item[]> {
    let kept = items;
    let chunk = Math.ceil(kept.length / 2);
    while (kept.length > 0 && chunk >= 1 && !this.isSpent) {
      let isSmaller = false;
      for (let at = 0; at < kept.length;) {
        const without = [...kept.slice(0, at), ...kept.slice(at + chunk)];
        if (await this.#fails(rebuild(without))) {
          kept = without;
          isSmaller = true;
        } else at += chunk;
      }
      if (chunk === 1 && !isSmaller) break;
      if (!isSmaller || chunk > kept.length) chunk = Math.ceil(chunk / 2);
      if (chunk === 1 && kept.length === 0) break;
    }
    return kept;
  }
}

/** The fault among fewer members: those that are gone are taken by others; none when nothing is left of it. */
function among(fault: PlannedFault, members: number): PlannedFault[] {
  if (members === 1 && NEEDS_PEERS.has(fault.kind)) return [];
  const moved = (target: number): number => ((target - 1) % members) + 1;
  const unique = (targets: readonly number[]): number[] => [...new Set(targets.map(moved))];
  if (fault.kind === 'partition') {
    const groups = fault.groups.map((group) => group.filter((member) => member <= members));
    return groups.some((group) => group.length === 0) ? [] : [{ ...fault, groups }];
  }
  if (fault.kind === 'powerLoss' || fault.kind === 'clog') {
    return [{ ...fault, targets: unique(fault.targets) }];
  }
  if (fault.kind === 'foreignDisk') {
    const [target, of] = [moved(fault.target), moved(fault.of)];
    return target === of ? [] : [{ ...fault, target, of }];
  }
  if ('target' in fault && fault.target !== 'leader') {
    return [{ ...fault, target: moved(fault.target) } as PlannedFault];
  }
  return [fault];
}
