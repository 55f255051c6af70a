/** Puts the evidence of a run before every checker. */
import { checkCompaction } from '../checkers/compaction.ts';
import { checkHeaderRevisions } from '../checkers/header-revisions.ts';
import { checkLeases } from '../checkers/lease.ts';
import { checkLocks, type LockHold } from '../checkers/lock.ts';
import { checkRegisterSample } from '../checkers/register-sample.ts';
import { checkStrictSerializability } from '../checkers/strict-serializability.ts';
import type { Violation } from '../checkers/violation.ts';
import { checkWatches } from '../checkers/watch.ts';
import type { HistoryRecorder } from '../history/recorder.ts';
import type { Plan } from '../plan/plan.ts';
import { resolveUnknown } from './resolve-unknown.ts';
import type { SimCluster } from './sim-cluster.ts';

/** Largest drift that a plan may set. */
const MAX_PLANNED_DRIFT_PPM = 50_000;
/** The leader looks for expired leases so often, and one batch takes its time to commit. */
const EXPIRY_SLACK_US = 2_000_000;

/** What a run left behind. */
export interface RunEvidence {
  readonly plan: Plan;
  readonly cluster: SimCluster;
  readonly recorder: HistoryRecorder;
  readonly holds: readonly LockHold[];
  /** Since when everything was well; undefined when the run ended before. */
  readonly calmSinceUs: number | undefined;
}

/** Everything that is wrong with a run; what was seen while it ran comes first. */
export function judge({ plan, cluster, recorder, holds, calmSinceUs }: RunEvidence): Violation[] {
  const { ghost, world } = cluster;
  const operations = recorder.operations();
  const resolved = resolveUnknown(operations, ghost, ghost.findings);
  const evidence = { operations, ...resolved };
  const { violations, model } = checkStrictSerializability(evidence);
  let maxCompactedRevision = 0;
  for (const { request, outcome } of operations) {
    if (request.kind === 'compact' && outcome.kind !== 'failed') {
      maxCompactedRevision = Math.max(maxCompactedRevision, request.revision);
    }
  }
  return [
    ...ghost.findings.violations,
    ...violations,
    ...checkHeaderRevisions(operations),
    ...checkCompaction(operations, model.revision),
    ...checkWatches({
      watches: recorder.watches(),
      model,
      maxCompactedRevision,
      mustBeAtHead: calmSinceUs === undefined ? undefined : (watch) => watch.ended === undefined,
    }),
    ...checkLeases({
      operations,
      endings: ghost.leaseEndings,
      maxDriftPpm: MAX_PLANNED_DRIFT_PPM,
      leaderOverlapUs: 2 * plan.knobs.electionTimeoutMs * 1000,
      calmSinceUs,
      endUs: world.nowUs,
      scanSlackUs: EXPIRY_SLACK_US,
    }),
    ...checkLocks(holds, model),
    ...checkRegisterSample(operations).violations,
  ];
}
