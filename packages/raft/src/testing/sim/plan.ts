import { SimRandom } from './random.ts';

/** What one simulated run is made of; drawn from its seed. Probabilities are per thousand steps. */
export interface SimPlan {
  readonly seed: number;
  /** Node ids are 1 to this; the first `voterCount` begin as voters. */
  readonly nodeCount: number;
  readonly voterCount: number;
  readonly steps: number;
  /** Messages and requests that a node steps together, at most; 1: each by itself. */
  readonly batchMax: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  readonly quietCommits: boolean;
  readonly stepDownOnRemoval: boolean;
  /** Reads trust the clocks; then all nodes tick at once, since leases need clocks of one speed. */
  readonly readsByLease: boolean;
  readonly maxInflightMessages: number;
  readonly maxMessageBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxApplyBytes: number;
  readonly maxPendingReads: number;
  /** Messages: lost, sent twice, delivered out of order. */
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly reorderPerMille: number;
  /** How often each kind of event is chosen; zero switches it off. */
  readonly weights: Readonly<Record<SimEvent, number>>;
}

/** What may happen in one step. */
export const SIM_EVENTS = [
  'tick',
  'deliver',
  'sync',
  'apply',
  'acknowledge',
  'propose',
  'read',
  'change',
  'transfer',
  'snapshot',
  'crash',
  'restart',
  'wipe',
  'partition',
  'heal',
  'campaign',
  'forgetLeader',
  'unreachable',
] as const;
/** One of them. */
export type SimEvent = (typeof SIM_EVENTS)[number];

const COMMON: Readonly<Record<SimEvent, number>> = {
  tick: 220,
  deliver: 420,
  sync: 200,
  apply: 110,
  acknowledge: 60,
  propose: 60,
  read: 30,
  change: 10,
  transfer: 5,
  snapshot: 12,
  crash: 8,
  restart: 20,
  wipe: 12,
  partition: 6,
  heal: 10,
  campaign: 10,
  forgetLeader: 1,
  unreachable: 4,
};

/** Faults and features that a seed may leave out: runs that lack some find what runs with all cannot. */
const OPTIONAL: readonly SimEvent[] = [
  'read',
  'change',
  'transfer',
  'snapshot',
  'crash',
  'wipe',
  'partition',
  'campaign',
  'forgetLeader',
  'unreachable',
];

/** Much ado about membership: joint configurations, elections in the midst of them, nodes cut off. */
function churn(weights: Record<SimEvent, number>): void {
  weights.change = 60;
  weights.campaign = 30;
  weights.partition = 15;
  weights.heal = 15;
}

/**
 * Whatever makes a leader believe in a lease that is over: it is cut off and asked all the time, and between two
 * ticks there is time enough for the others to elect another.
 */
function tempt(weights: Record<SimEvent, number>): void {
  weights.read = 100;
  weights.propose = 30;
  weights.partition = 3;
  weights.heal = 3;
  weights.tick = 50;
  weights.deliver = 600;
  weights.sync = 300;
  weights.acknowledge = 200;
  weights.crash /= 4;
}

/** The plan of a seed. `overrides` replaces what a test wants fixed. */
export function planFor(seed: number, overrides: Partial<SimPlan> = {}): SimPlan {
  const random = new SimRandom(seed);
  const voterCount = [1, 2, 3, 3, 3, 4, 5][random.below(7)] ?? 3;
  const weights = { ...COMMON };
  for (const event of OPTIONAL) if (random.perMille(350)) weights[event] = 0;
  for (const event of ['change', 'crash', 'transfer', 'snapshot', 'campaign'] as const) {
    if (random.perMille(200)) weights[event] *= 4;
  }
  const calm = random.perMille(250);
  if (random.perMille(250)) churn(weights);
  const checkQuorum = random.perMille(500);
  const readsByLease = checkQuorum && random.perMille(400);
  if (readsByLease) tempt(weights);
  return {
    seed,
    nodeCount: voterCount + random.below(3),
    voterCount,
    steps: 3000,
    batchMax: random.perMille(300) ? 8 : 1,
    preVote: random.perMille(500),
    checkQuorum,
    readsByLease,
    stepDownOnRemoval: random.perMille(500),
    maxInflightMessages: [1, 2, 4, 256][random.below(4)] ?? 256,
    maxMessageBytes: [1, 64, 1 << 20][random.below(3)] ?? 64,
    maxUncommittedBytes: random.perMille(200) ? 64 : 1 << 26,
    maxApplyBytes: [1, 32, 1 << 20][random.below(3)] ?? 32,
    maxPendingReads: random.perMille(200) ? 2 : 1 << 16,
    lossPerMille: calm ? 0 : random.below(200),
    duplicatePerMille: calm ? 0 : random.below(200),
    reorderPerMille: calm ? 0 : random.below(1000),
    quietCommits: random.perMille(500),
    weights,
    ...overrides,
  };
}
