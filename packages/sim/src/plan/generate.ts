/** Draws a plan from a seed. */
import { must } from '@etcd-ts/base';
import { RandomStream } from '../world/random.ts';
import { drawFaults } from './generate-faults.ts';
import { drawStep } from './generate-steps.ts';
import {
  type Knobs,
  type Plan,
  PLAN_VERSION,
  type PlannedClient,
  type PlannedNetwork,
  type PlannedStep,
} from './plan.ts';
import { type Profile, PROFILES } from './profile.ts';

/** Share of the kinds of steps and faults that a run leaves out: fewer kinds at once reach further with each. */
const OMISSION_CHANCE = 0.4;

/** Longest time that a healed cluster may take to answer and agree. */
export const LIVENESS_MS = 30_000;

/** The plan of a seed in a profile. */
export function generatePlan(seed: number, profileName = 'default'): Plan {
  const profile = must(PROFILES[profileName], `profile named ${profileName}`);
  const stream = (label: string): RandomStream => new RandomStream(seed, `plan/${label}`);
  const shape = stream('shape');
  const members = shape.pick(profile.members);
  const safetyMs = shape.between(...profile.safetyMs);
  const knobs = {
    ...drawKnobs(stream('knobs'), profile),
    ...drawCheckpoints(stream('lease checkpoints'), profile),
  };
  return {
    version: PLAN_VERSION,
    seed,
    profile: profile.name,
    members,
    knobs,
    network: drawNetwork(stream('network'), profile),
    disk: drawDisk(stream('disk')),
    clients: drawClients(seed, profile, members, safetyMs),
    faults: drawFaults(stream('faults'), profile, members, safetyMs),
    ...(stream('half rights').chance(profile.halfRightsChance ?? 0) ? { halfRights: true } : {}),
    safetyMs,
    livenessMs: LIVENESS_MS,
  };
}

/** Of a set of weights, those that this run keeps; at least one. */
export function omitSome<Kind extends string>(
  random: RandomStream,
  weights: Readonly<Partial<Record<Kind, number>>>,
): (readonly [Kind, number])[] {
  const all = Object.entries(weights) as [Kind, number][];
  const kept = all.filter(() => !random.chance(OMISSION_CHANCE));
  return kept.length > 0 ? kept : all;
}

function drawKnobs(random: RandomStream, profile: Profile): Knobs {
  const shrunk = (usual: number, low: number, high: number): number => {
    const draw = random.between(low, high);
    return random.chance(profile.shrunkKnobChance) ? draw : usual;
  };
  const [heartbeatIntervalMs, electionTimeoutMs] = random.pick([
    [100, 1000],
    [29, 271],
    [100, 500],
  ] as const);
  return {
    heartbeatIntervalMs,
    electionTimeoutMs,
    preVote: !random.chance(profile.shrunkKnobChance / 2),
    snapshotCount: shrunk(random.pick([50, 100, 1000]), 1, 10),
    snapshotCatchUpEntries: shrunk(random.pick([100, 1000]), 0, 10),
    backendBatchIntervalMs: shrunk(100, 1, 10),
    backendBatchEntries: shrunk(10_000, 1, 10),
    maxTxnOps: 128,
    walSegmentBytes: shrunk(64 * 1024 * 1024, 1_024, 16_384),
    maxWals: shrunk(5, 1, 3),
  };
}

/** Leases live for seconds here: what is left of them is noted far more often than etcd does it. */
function drawCheckpoints(
  random: RandomStream,
  { leaseCheckpointChance = 0 }: Profile,
): Pick<Knobs, 'leaseCheckpoint' | 'leaseCheckpointIntervalMs'> {
  if (!random.chance(leaseCheckpointChance)) return {};
  return { leaseCheckpoint: true, leaseCheckpointIntervalMs: random.between(200, 2_000) };
}

function drawNetwork(random: RandomStream, profile: Profile): PlannedNetwork {
  const isDatagram = random.chance(profile.datagramChance);
  const isRough = random.chance(profile.shrunkKnobChance);
  return {
    mode: isDatagram ? 'datagram' : 'stream',
    minDelayUs: random.pick([50, 200, 1000]),
    meanExtraDelayUs: random.pick([100, 500, 5000]),
    lossChance: isRough ? random.below(50) / 1000 : 0,
    duplicateChance: isDatagram ? random.below(100) / 1000 : 0,
    replayChance: isDatagram ? random.below(20) / 1000 : 0,
  };
}

function drawDisk(random: RandomStream): Plan['disk'] {
  return { meanSyncUs: random.pick([50, 500, 5000, 20_000]), meanReadUs: random.pick([10, 100]) };
}

function drawClients(
  seed: number,
  profile: Profile,
  members: number,
  safetyMs: number,
): PlannedClient[] {
  const shape = new RandomStream(seed, 'plan/clients');
  const count = shape.between(...profile.clients);
  const keys = shape.between(...profile.keys);
  const rate = shape.between(...profile.operationsPerSecond);
  const kinds = omitSome(shape, profile.steps);
  const timeoutMs = shape.pick([500, 2000, 8000]);
  const weights = kinds.map(([, weight]) => weight);
  const bursts = drawBursts(shape, profile, safetyMs);
  return Array.from({ length: count }, (_, i) => {
    const random = new RandomStream(seed, `plan/client/${i + 1}`);
    const meanGapMs = (1000 * count) / rate;
    const steps: PlannedStep[] = [];
    for (let atMs = random.exponential(meanGapMs); atMs < safetyMs;) {
      const kind = kinds[random.weighted(weights)]?.[0] ?? 'get';
      steps.push(drawStep(random, kind, { atMs, keys, members }));
      atMs += Math.max(1, random.exponential(meanGapMs));
    }
    for (const burst of bursts) {
      for (let left = random.below(burst.steps); left > 0; left--) {
        const kind = random.pick(burst.kinds);
        steps.push(drawStep(random, kind, { atMs: burst.atMs, keys: Math.min(2, keys), members }));
      }
    }
    steps.sort((a, b) => a.atMs - b.atMs);
    return { id: i + 1, member: 1 + (i % members), timeoutMs, steps };
  });
}

interface Burst {
  readonly atMs: number;
  /** Each client does fewer than so many things then. */
  readonly steps: number;
  readonly kinds: readonly PlannedStep['do'][];
}

/** Mean time between two bursts. */
const BURST_GAP_MS = 4_000;

/**
 * Moments at which all clients act at once, on few keys, one thing right after another: where one's read follows
 * another's write by less than a message takes.
 */
function drawBursts(random: RandomStream, profile: Profile, safetyMs: number): Burst[] {
  const close: PlannedStep['do'][] = ['get', 'put', 'swap', 'readTxn'];
  const kinds = close.filter((kind) => profile.steps[kind] !== undefined);
  if (kinds.length === 0 || !profile.bursts) return [];
  const bursts: Burst[] = [];
  for (let atMs = random.exponential(BURST_GAP_MS); atMs < safetyMs;) {
    bursts.push({ atMs, steps: random.pick([5, 15, 30]), kinds });
    atMs += 1 + random.exponential(BURST_GAP_MS);
  }
  return bursts;
}
