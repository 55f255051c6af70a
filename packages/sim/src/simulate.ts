/** `simulate`: a user's own service, or any scenario, against a whole cluster under virtual time. */
import { INVARIANTS, type Violation } from './checkers/violation.ts';
import { runPlan } from './cluster/run-plan.ts';
import { drawFaults } from './plan/generate-faults.ts';
import { generatePlan, LIVENESS_MS } from './plan/generate.ts';
import { type Knobs, type Plan, PLAN_VERSION } from './plan/plan.ts';
import type { PlannedFault } from './plan/planned-fault.ts';
import { type Profile, PROFILES } from './plan/profile.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { RandomStream } from './world/random.ts';

/** How a simulation is made. All have a default. */
export interface SimulateOptions {
  /** Decides everything: the same seed gives the same run. @defaultValue 0 */
  readonly seed?: number;
  /** 1 to 7. @defaultValue 3 */
  readonly members?: number;
  /** Clients that use the cluster meanwhile, as in this profile; their history is judged too. @defaultValue 'none' */
  readonly workload?: 'none' | (string & {});
  /** What goes wrong: drawn as in this profile, or given. @defaultValue 'none' */
  readonly faults?: 'none' | (string & {}) | readonly PlannedFault[];
  /** How long faults and workload go on, in virtual milliseconds; the scenario may take longer. @defaultValue 10000 */
  readonly durationMs?: number;
  /** Settings of the members. */
  readonly knobs?: Partial<Knobs>;
}

/** A scenario failed, or the cluster broke an invariant under it. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly seed: number;
  readonly violations: readonly Violation[];

  constructor(message: string, seed: number, violations: readonly Violation[], cause?: unknown) {
    super(message, { cause });
    this.seed = seed;
    this.violations = violations;
  }
}

const USUAL_KNOBS: Knobs = {
  heartbeatIntervalMs: 100,
  electionTimeoutMs: 1000,
  preVote: true,
  snapshotCount: 100,
  snapshotCatchUpEntries: 100,
  backendBatchIntervalMs: 100,
  backendBatchEntries: 10_000,
  maxTxnOps: 128,
};

/**
 * Runs a scenario against a simulated cluster of real members: thousands of times faster than real time, with every
 * fault, and the same again for the same seed. When the scenario is done everything is healed, the cluster has to
 * recover, and what all clients saw is judged.
 *
 * No real time, chance, disk or network may be touched meanwhile: such a use throws a NondeterminismError.
 *
 * @example
 * await simulate({ seed: 7, faults: 'crash' }, async (cluster) => {
 *   const client = cluster.client();
 *   await client.put('greeting', 'hello');
 * });
 *
 * @returns What the scenario returned.
 * @throws SimulationError when the scenario throws or an invariant is broken; its message names the seed.
 */
export async function simulate<T>(
  options: SimulateOptions,
  scenario: (cluster: SimulatedCluster) => Promise<T>,
): Promise<T> {
  const plan = planOf(options);
  let outcome: { readonly value: T } | undefined;
  const result = await runPlan(plan, {
    scenario: async (run) => {
      outcome = { value: await scenario(new SimulatedCluster(run)) };
    },
  }).catch((cause: unknown) => {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SimulationError(`seed ${plan.seed}: ${text}`, plan.seed, [], cause);
  });
  const [first] = result.violations;
  if (first !== undefined) {
    throw new SimulationError(
      `seed ${plan.seed} violates ${first.invariant} (${INVARIANTS[first.invariant]}): ${first.message}`,
      plan.seed,
      result.violations,
    );
  }
  if (outcome === undefined) {
    throw new SimulationError(`seed ${plan.seed}: the scenario did not end`, plan.seed, []);
  }
  return outcome.value;
}

function planOf(options: SimulateOptions): Plan {
  const { seed = 0, members = 3, durationMs = 10_000 } = options;
  if (!Number.isInteger(members) || members < 1 || members > 7) {
    throw new RangeError(`members must be a whole number from 1 to 7, is ${members}`);
  }
  const drawn = generatePlan(seed, profileNamed(options.workload ?? 'none').name);
  const clients = drawn.clients.map((client) => ({
    ...client,
    member: ((client.member - 1) % members) + 1,
    steps: client.steps.filter((step) => step.atMs < durationMs),
  }));
  return {
    ...drawn,
    version: PLAN_VERSION,
    seed,
    profile: 'scenario',
    members,
    knobs: { ...USUAL_KNOBS, ...options.knobs },
    clients: options.workload === undefined || options.workload === 'none' ? [] : clients,
    faults: faultsOf(options, members, durationMs),
    safetyMs: durationMs,
    livenessMs: LIVENESS_MS,
  };
}

function faultsOf(
  { seed = 0, faults = 'none' }: SimulateOptions,
  members: number,
  durationMs: number,
): readonly PlannedFault[] {
  if (typeof faults !== 'string') return faults;
  if (faults === 'none') return [];
  const random = new RandomStream(seed, 'simulate/faults');
  return drawFaults(random, profileNamed(faults), members, durationMs);
}

function profileNamed(name: string): Profile {
  const profile = PROFILES[name === 'none' ? 'calm' : name];
  if (profile === undefined) {
    throw new RangeError(`no profile ${name}; there are ${Object.keys(PROFILES).join(', ')}`);
  }
  return profile;
}
