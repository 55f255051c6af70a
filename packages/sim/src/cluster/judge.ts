/** Puts the evidence of a run before every checker. */
import { checkAttachments } from '../checkers/attachment.ts';
import { checkBank } from '../checkers/bank.ts';
import { checkCaches } from '../checkers/cache.ts';
import { checkCompaction } from '../checkers/compaction.ts';
import { checkDisappearance } from '../checkers/disappearance.ts';
import { checkElections } from '../checkers/elections.ts';
import { checkHeaderRevisions } from '../checkers/header-revisions.ts';
import { checkCheckpoints, type CheckpointEvidence } from '../checkers/lease-checkpoint.ts';
import { checkLeases, type LeaseLeft } from '../checkers/lease.ts';
import { checkLists } from '../checkers/list.ts';
import { checkLocks } from '../checkers/lock.ts';
import { checkRefusedCalls } from '../checkers/refused-calls.ts';
import { checkRefusedReads } from '../checkers/refused-reads.ts';
import { checkRegisterSample } from '../checkers/register-sample.ts';
import { type AppliedChange, checkRights } from '../checkers/rights.ts';
import { checkRightVerdicts } from '../checkers/right-verdicts.ts';
import { checkSet } from '../checkers/set.ts';
import type { Standings } from '../checkers/stays.ts';
import { checkStrictSerializability } from '../checkers/strict-serializability.ts';
import { checkTraces, checkVerdicts } from '../checkers/verdicts.ts';
import type { Violation } from '../checkers/violation.ts';
import { checkWatches } from '../checkers/watch.ts';
import { checkWatchRights } from '../checkers/watch-rights.ts';
import type { Operation } from '../history/operation.ts';
import type { HistoryRecorder } from '../history/recorder.ts';
import { DONE } from '../history/verdict.ts';
import { FIRST_REVISION } from '../model/etcd-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedFault } from '../plan/planned-fault.ts';
import { KEY_PREFIX, KEY_PREFIX_END } from '../workload/requests.ts';
import type { Notes } from '../workload/sim-client.ts';
import type { Ghost } from './ghost.ts';
import { leasesAt } from './leases-at.ts';
import { resolveUnknown } from './resolve-unknown.ts';
import type { SimCluster } from './sim-cluster.ts';
import type { Whereabouts } from './whereabouts.ts';

/** Largest drift that a plan may set. */
const MAX_PLANNED_DRIFT_PPM = 50_000;
/** The leader looks for expired leases so often, and one batch takes its time to commit. */
const EXPIRY_SLACK_US = 2_000_000;

/**
 * Faults that may cost a leadership when they are over: whoever is asked to stand may hear of it late, and a leader's tick
 * that was set while timers were late may come long after.
 */
const DEPOSING_LATE: ReadonlySet<PlannedFault['kind']> = new Set([
  'transfer',
  'stop',
  'replace',
  'grow',
  'lateTimers',
]);

/** What a run left behind. */
export interface RunEvidence {
  readonly plan: Plan;
  /** Somebody did to the cluster what no plan says. */
  readonly hasScenario: boolean;
  readonly cluster: SimCluster;
  readonly recorder: HistoryRecorder;
  readonly whereabouts: Whereabouts;
  readonly notes: Notes;
  /** Since when everything was well; undefined when the run ended before. */
  readonly calmSinceUs: number | undefined;
}

/** What the judges say. */
export interface Judgement {
  /** Everything that is wrong with a run; what was seen while it ran comes first. */
  readonly violations: readonly Violation[];
  /** Revisions that operations with unknown outcome made after all. */
  readonly unknownRevisions: ReadonlyMap<number, number>;
}

/** Puts the evidence before every judge. */
export function judge(run: RunEvidence): Judgement {
  const { plan, hasScenario, cluster, recorder, whereabouts, notes, calmSinceUs } = run;
  const { ghost, world } = cluster;
  const changes = changesOf(ghost);
  const evidence = resolveUnknown(recorder.operations(), ghost, ghost.findings, notes.served);
  const { operations } = evidence;
  const watches = recorder.watches();
  const standings: Standings = (member, fromUs, toUs) => whereabouts.between(member, fromUs, toUs);
  const answers = checkStrictSerializability({ ...evidence, watches });
  const { model, sightings } = answers;
  const violations = [
    ...ghost.findings.violations,
    ...checkElections({
      elections: ghost.elections,
      firstLeaderUs: ghost.promotions[0]?.atUs,
      firstFaultUs: firstFaultUs(plan, hasScenario),
      electionTimeoutUs: plan.knobs.electionTimeoutMs * 1000,
      calmSinceUs,
      mayEndOnce: hasScenario || plan.faults.some(({ kind }) => DEPOSING_LATE.has(kind)),
    }),
    ...answers.violations,
    ...checkHeaderRevisions(operations),
    ...checkRefusedReads(operations, sightings),
    ...checkCompaction(operations, model.revision),
    ...checkVerdicts(ghost.entries, model),
    ...checkTraces(ghost.entries, operations),
    ...checkWatches({
      watches,
      model,
      compactedBy: compactionsAsked(operations),
      mustBeAtHead: calmSinceUs === undefined ? undefined : (watch) => watch.ended === undefined,
    }),
    ...checkLeases({
      operations,
      endings: ghost.leaseEndings,
      left: leasesLeft(ghost),
      maxDriftPpm: MAX_PLANNED_DRIFT_PPM,
      leaderOverlapUs: 2 * plan.knobs.electionTimeoutMs * 1000,
      calmSinceUs,
      keepAlivePassedOnUs: cluster.keepAlivePassedOnUs,
      endUs: world.nowUs,
      scanSlackUs: EXPIRY_SLACK_US,
    }),
    ...checkCheckpoints(checkpointEvidence(ghost, operations, plan)),
    ...checkRights(operations, changes),
    ...checkRightVerdicts(ghost.entries),
    ...checkRefusedCalls({ operations, changes, standings }),
    ...checkWatchRights({ watches, changes, standings }),
    ...checkAttachments(operations, ghost.leaseEndings, model, revisionsOf(ghost)),
    ...checkDisappearance({
      operations,
      watches,
      endings: ghost.leaseEndings,
    }),
    ...checkLocks(notes.holds, model, plan.faults.length === 0 && plan.network.lossChance === 0),
    ...checkBank(operations),
    ...checkSet(operations),
    ...checkLists(operations),
    ...checkCaches(notes.caches, KEY_PREFIX, KEY_PREFIX_END, model),
    ...checkRegisterSample(operations).violations,
  ];
  return { violations, unknownRevisions: evidence.unknownRevisions };
}

/** The furthest revision that anybody had asked to compact by a position, and had not certainly failed to. */
function compactionsAsked(operations: readonly Operation[]): (at: number) => number {
  const asked: { readonly at: number; readonly furthest: number }[] = [];
  let furthest = 0;
  // They are in the order in which they were asked for.
  for (const { request, outcome, invokedAt } of operations) {
    if (request.kind !== 'compact' || outcome.kind === 'failed') continue;
    if (request.revision <= furthest) continue;
    furthest = request.revision;
    asked.push({ at: invokedAt, furthest });
  }
  return (at) => asked.findLast((each) => each.at < at)?.furthest ?? 0;
}

/** When something goes wrong first: at once, where the network is never to be relied on. */
function firstFaultUs({ faults, network }: Plan, hasScenario: boolean): number {
  if (hasScenario || network.mode === 'datagram' || network.lossChance > 0) return 0;
  return Math.min(Infinity, ...faults.map(({ atMs }) => atMs * 1000));
}

/** The leases that there are at the end, whether or not anybody was told that they were granted. */
function leasesLeft({ entries, lastIndex }: Ghost): readonly LeaseLeft[] {
  return [...leasesAt(entries, lastIndex)].map(([leaseId, { ttlSeconds, index }]) => {
    return { leaseId, ttlSeconds, grantedUs: entries[index]?.atUs ?? 0 };
  });
}

/** What checkpoints of leases are judged by, and counted. */
export function checkpointEvidence(
  { entries, promotions }: Ghost,
  operations: readonly Operation[],
  { knobs }: Plan,
): CheckpointEvidence {
  const checkpoints = entries.flatMap((entry, index) => {
    if (entry?.command?.kind !== 'leaseCheckpoint') return [];
    const { term, atUs, command } = entry;
    // Of an earlier term it does nothing.
    if (command.term !== term) return [];
    return command.checkpoints.map(({ id, remainingTtlSeconds }) => {
      return { leaseId: id, remainingSeconds: remainingTtlSeconds, index, atUs };
    });
  });
  const extensionUs = knobs.electionTimeoutMs * 1000;
  return {
    operations,
    checkpoints,
    promotions,
    extensionUs,
    leaderOverlapUs: 2 * extensionUs,
    maxDriftPpm: MAX_PLANNED_DRIFT_PPM,
  };
}

/** What the log changed about users and roles. */
export function changesOf({ entries }: Ghost): readonly AppliedChange[] {
  return entries.flatMap((entry, index) => {
    if (entry?.command?.kind !== 'auth' || entry.verdict !== DONE) return [];
    const { atUs, revision, command } = entry;
    return { index, atUs, revision, change: command.change };
  });
}

/** The newest revision that any member had applied at a time. */
function revisionsOf({ entries }: Ghost): (atUs: number) => number {
  return (atUs) => {
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((entries[middle]?.atUs ?? 0) <= atUs) low = middle + 1;
      else high = middle;
    }
    return entries[low - 1]?.revision ?? FIRST_REVISION;
  };
}
