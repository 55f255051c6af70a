// For tests of services that use a cluster.
export { simulate, type SimulateOptions, SimulationError } from './simulate.ts';
export {
  type ServiceContext,
  SimulatedCluster,
  type SimulatedMember,
  type SimulatedService,
} from './simulated-cluster.ts';

// Plans and runs.
export { SOMETIMES } from './cluster/sometimes.ts';
export { type Run, type RunOptions, runPlan, type RunResult } from './cluster/run-plan.ts';
export { generatePlan, LIVENESS_MS } from './plan/generate.ts';
export { CRASH_POINTS, type CrashPoint } from './cluster/crash-points.ts';
export { type Damage, DAMAGES } from './disk/damage.ts';
export {
  type AdminFault,
  type ClockFault,
  type DiskFault,
  FAULT_FAMILIES,
  FAULT_KINDS,
  type NetworkFault,
  type PlannedFault,
  type ProcessFault,
  type Target,
} from './plan/planned-fault.ts';
export {
  formatPlan,
  type Knobs,
  parsePlan,
  type Plan,
  PLAN_VERSION,
  type PlannedClient,
  type PlannedDisk,
  type PlannedNetwork,
  type PlannedStep,
} from './plan/plan.ts';
export { type Profile, PROFILES } from './plan/profile.ts';
export {
  MAX_SHRINK_RUNS,
  shrinkPlan,
  type ShrinkResult,
  sizeOf,
  type StillFails,
} from './plan/shrink.ts';

// Pages about runs.
export { renderPage } from './report/page.ts';
export {
  MAX_REPORT_MESSAGES,
  type MemberLane,
  type Timeline,
  TimelineCollector,
} from './report/timeline.ts';

// Histories, checkers and the model.
export { checkCompaction } from './checkers/compaction.ts';
export { checkHeaderRevisions } from './checkers/header-revisions.ts';
export { checkLeases, type LeaseEnding, type LeaseEvidence } from './checkers/lease.ts';
export { checkLocks, type LockHold } from './checkers/lock.ts';
export type { Evidence, LeaseEnd } from './checkers/placement.ts';
export {
  checkRegisterSample,
  MAX_SAMPLE_CALLS,
  MAX_SAMPLE_UNKNOWN,
  registerModel,
  type RegisterOp,
  type RegisterState,
  type SampleResult,
} from './checkers/register-sample.ts';
export {
  checkStrictSerializability,
  type SerializabilityResult,
} from './checkers/strict-serializability.ts';
export {
  Findings,
  type InvariantId,
  INVARIANTS,
  MAX_VIOLATIONS,
  type Violation,
} from './checkers/violation.ts';
export { checkWatches, type WatchEvidence } from './checkers/watch.ts';
export {
  DEFAULT_WGL_STEPS,
  wgl,
  type WglCall,
  type WglModel,
  type WglResult,
} from './checkers/wgl.ts';
export {
  isReadOnly,
  type Operation,
  type OperationOutcome,
  type OperationRequest,
  type OperationResponse,
  responseRevision,
} from './history/operation.ts';
export { HistoryRecorder, type Invoker, type WatchHandle } from './history/recorder.ts';
export { isProgress, type WatchRecord, type WatchResponseRecord } from './history/watch-record.ts';
export { EtcdModel, FIRST_REVISION, ModelError, type ModelRefusal } from './model/etcd-model.ts';
// The world.
export { MachineClock, MAX_DRIFT_PPM, SimClock, WALL_EPOCH_MS } from './world/clock.ts';
export { drive } from './world/node/drive.ts';
export { NondeterminismError } from './world/node/traps.ts';
export { type Cancellable, SimProcess } from './world/process.ts';
export { hashBytes, hashText, RandomStream } from './world/random.ts';
export { EVENTS_PER_CHECKPOINT, firstDifference, TraceHash } from './world/trace-hash.ts';
export { World, WorldError, type WorldOptions } from './world/world.ts';
