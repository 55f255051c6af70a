/** Draws what goes wrong and when. */
import { CRASH_POINTS } from '../cluster/crash-points.ts';
import { DAMAGES } from '../disk/damage.ts';
import type { RandomStream } from '../world/random.ts';
import { omitSome } from './generate.ts';
import {
  FAULT_FAMILIES,
  NEEDS_PEERS,
  type NetworkFault,
  type PlannedFault,
  type Target,
} from './planned-fault.ts';
import type { Profile } from './profile.ts';

/** Faults in one run; later ones are left out. */
export const MAX_FAULTS = 60;

/** The faults of a run, by time. */
export function drawFaults(
  random: RandomStream,
  profile: Profile,
  members: number,
  safetyMs: number,
): PlannedFault[] {
  if (Object.keys(profile.faults).length === 0) return [];
  const kinds = omitSome(random, profile.faults);
  const meanGapMs = random.between(...profile.faultGapMs);
  const faults: PlannedFault[] = [];
  let atMs = 500 + random.exponential(meanGapMs);
  while (atMs < safetyMs && faults.length < MAX_FAULTS) {
    const kind = kinds[random.weighted(kinds.map(([, weight]) => weight))]?.[0] ?? 'kill';
    const fault = drawFault(random, kind, atMs, members);
    if (fault !== undefined) faults.push(fault);
    atMs += 1 + random.exponential(meanGapMs);
  }
  return faults;
}

/** What is drawn for every fault, whatever its kind. */
interface Draw {
  readonly random: RandomStream;
  readonly members: number;
  readonly times: { readonly atMs: number; readonly forMs: number };
  readonly target: Target;
  /** All members in some order. */
  readonly others: readonly number[];
}

function drawFault(
  random: RandomStream,
  kind: PlannedFault['kind'],
  atMs: number,
  members: number,
): PlannedFault | undefined {
  const forMs = random.pick([50, 300, 1_000, 3_000, 8_000]) + random.below(500);
  const target: Target = random.chance(0.4) ? 'leader' : 1 + random.below(members);
  const others = random.shuffled(Array.from({ length: members }, (_, i) => i + 1));
  if (members === 1 && NEEDS_PEERS.has(kind)) return undefined;
  const draw: Draw = { random, members, times: { atMs, forMs }, target, others };
  if (isNetwork(kind)) return drawNetworkFault(kind, draw);
  return drawOther(kind, draw);
}

function isNetwork(kind: PlannedFault['kind']): kind is NetworkFault['kind'] {
  return (FAULT_FAMILIES.network as readonly string[]).includes(kind);
}

function drawNetworkFault(
  kind: NetworkFault['kind'],
  { random, members, times, target, others }: Draw,
): PlannedFault {
  switch (kind) {
    case 'partition': {
      const size = 1 + random.below(members - 1);
      return { ...times, kind, groups: [others.slice(0, size), others.slice(size)] };
    }
    case 'oneWay':
      return { ...times, kind, target, deaf: random.chance(0.5) };
    case 'clog':
      return { ...times, kind, targets: others.slice(0, 1 + random.below(members)) };
    case 'slow':
      return { ...times, kind, target, extraMs: random.pick([5, 50, 400, 2_000]) };
    case 'tail':
      return { ...times, kind, target, meanMs: random.pick([20, 200, 1_000]) };
    case 'narrow':
      return { ...times, kind, bytesPerSecond: random.pick([2_000, 20_000, 200_000]) };
    case 'lossy':
      return { ...times, kind, target, chance: random.pick([0.05, 0.2, 0.6]) };
    case 'cutClient':
    case 'reset':
      return { ...times, kind, client: 1 + random.below(8) };
    case 'ring':
      return { ...times, kind };
    case 'isolate':
    case 'bridge':
      return { ...times, kind, target };
  }
}

function drawOther(
  kind: Exclude<PlannedFault['kind'], NetworkFault['kind']>,
  { random, members, times, target, others }: Draw,
): PlannedFault {
  switch (kind) {
    case 'powerLoss': {
      const all = random.chance(0.3);
      return { ...times, kind, targets: all ? others : others.slice(0, 1 + random.below(members)) };
    }
    case 'crashAtDisk':
      return { ...times, kind, target, operations: random.below(40) };
    case 'crashAt': {
      const [point, passes] = [random.pick(CRASH_POINTS), random.pick([0, 0, 1, 3, 10, 20])];
      return { ...times, kind, target, point, passes, losesPower: random.chance(0.6) };
    }
    case 'crashLoop':
      return { ...times, kind, target, operations: random.pick([5, 20, 60]) };
    case 'readError':
      return { ...times, kind, target, reads: 1 + random.below(10) };
    case 'damage':
      return { ...times, kind, target: 1 + random.below(members), what: random.pick(DAMAGES) };
    case 'lyingSync':
    case 'oldDisk':
    case 'lostDatabase':
    case 'transfer':
      return { ...times, kind, target: 1 + random.below(members) };
    case 'foreignDisk': {
      const [first = 1, second = 2] = others;
      return { ...times, kind, target: first, of: second };
    }
    case 'drift':
      return { ...times, kind, target, ppm: random.between(-50_000, 50_000) };
    case 'wallStep':
    case 'strobe':
      return { ...times, kind, target, stepMs: random.between(-600_000, 600_000) };
    case 'lateTimers':
      return { ...times, kind, target, meanMs: random.pick([5, 50, 300]) };
    case 'replace':
      return { ...times, kind, target, asLearner: random.chance(0.5) };
    case 'grow':
      return { ...times, kind, asLearner: random.chance(0.5), handsOver: random.chance(0.3) };
    case 'staleLeader':
    case 'hashCheck':
    case 'auth':
      return { ...times, kind };
    default:
      return { ...times, kind, target };
  }
}
