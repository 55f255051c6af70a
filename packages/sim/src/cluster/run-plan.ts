/**
 * Runs a plan: the safety phase under its faults, then the liveness phase on a healed cluster, then the judgement of
 * everything that was seen.
 */
import type { Logger } from '@etcd-ts/server';
import type { Violation } from '../checkers/violation.ts';
import type { SectorArena } from '../disk/sector-arena.ts';
import { operationsAround } from '../history/describe.ts';
import { HistoryRecorder } from '../history/recorder.ts';
import { type Plan } from '../plan/plan.ts';
import { RecordedConnection } from '../workload/connection.ts';
import { LibraryClient } from '../workload/library-client.ts';
import { type Notes, SimClient } from '../workload/sim-client.ts';
import { TenantWatches } from '../workload/tenant-watch.ts';
import { WatchStream } from '../workload/watch-stream.ts';
import { drive, UnhandledError } from '../world/node/drive.ts';
import { World } from '../world/world.ts';
import { watchBounds } from './bounds.ts';
import { watchDurability } from './durability.ts';
import { FaultInjector } from './fault-injector.ts';
import { judge } from './judge.ts';
import { awaitRecovery } from './liveness.ts';
import { SimCluster } from './sim-cluster.ts';
import { Sometimes } from './sometimes.ts';
import { Whereabouts } from './whereabouts.ts';

/** How a run is looked at; changes nothing of what happens in it. */
export interface RunOptions {
  readonly log?: ((member: number) => Logger) | undefined;
  /** Called with the cluster before the run begins: for reports. */
  readonly watch?: ((run: Run) => void) | undefined;
  /** Runs beside the planned clients; the safety phase lasts until it has settled. */
  readonly scenario?: ((run: Run) => Promise<void>) | undefined;
  /** Memory for the disks. Whoever takes it back afterwards has looked at them for the last time. */
  readonly arena?: SectorArena | undefined;
}

/** A run under way, for whoever looks on. */
export interface Run {
  readonly plan: Plan;
  readonly cluster: SimCluster;
  readonly recorder: HistoryRecorder;
  readonly faults: FaultInjector;
}

/** How a run went. */
export interface RunResult {
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  /** The trace hash: equal for equal plans on equal code. */
  readonly digest: string;
  readonly checkpoints: readonly string[];
  readonly events: number;
  readonly simulatedMs: number;
  readonly operations: number;
  /** How often each interesting thing happened. */
  readonly coverage: Readonly<Record<string, number>>;
  /** The operations around the first violation, a line each; empty without one. */
  readonly around: readonly string[];
  /** How often each of {@link SOMETIMES} happened; absent: never. */
  readonly sometimes: Readonly<Record<string, number>>;
}

/** Ends a run at the first violation seen while it runs. */
class Stopped extends Error {}

/**
 * Runs a plan and judges it.
 *
 * @throws What is no violation of the system under test but of the harness: a deadlock of the world, a trap.
 */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const world = new World({ seed: plan.seed });
  const cluster = new SimCluster({
    world,
    members: plan.members,
    knobs: plan.knobs,
    network: plan.network,
    diskTimes: plan.disk,
    log: options.log,
    arena: options.arena,
  });
  const recorder = new HistoryRecorder(() => world.nowUs);
  const whereabouts = new Whereabouts(cluster.ghost, () => world.nowUs);
  const faults = new FaultInjector(cluster, plan.halfRights);
  const run: Run = { plan, cluster, recorder, faults };
  watchDurability(cluster);
  watchBounds(cluster);
  const sometimes = new Sometimes(run);
  options.watch?.(run);
  const notes: Notes = {
    holds: [],
    caches: [],
    libraries: [],
    served: new Set(),
    servedTurns: [],
  };
  const { findings } = cluster.ghost;
  world.afterEvent = () => {
    if (findings.violations.length > 0) world.fail(new Stopped());
  };
  let calmSinceUs: number | undefined;
  try {
    await drive(world, async () => {
      cluster.start();
      faults.schedule(plan.faults);
      const crew = plan.clients.map((client) => hire(plan, cluster, recorder, notes, client.id));
      const work = crew.map((client) => client.run());
      const scenario = options.scenario?.(run);
      await Promise.all([scenario, sleepIn(cluster, 'conductor', plan.safetyMs)]);
      for (const client of crew) client.stop();
      faults.heal();
      await Promise.all(work);
      calmSinceUs = await awaitRecovery(plan, cluster, recorder, faults.operator);
      for (const client of crew) client.closeWatches();
    });
  } catch (error) {
    if (error instanceof UnhandledError) findings.add('P1', error.message, [], world.nowUs);
    else if (!(error instanceof Stopped)) throw error;
  }
  const hasScenario = options.scenario !== undefined;
  const evidence = { plan, hasScenario, cluster, recorder, whereabouts, notes, calmSinceUs };
  const { violations, unknownRevisions } = judge(evidence);
  return {
    plan,
    violations,
    digest: world.finalDigest(),
    checkpoints: world.hash.checkpoints,
    events: world.eventCount,
    simulatedMs: Math.floor(world.nowUs / 1000),
    operations: recorder.operations().length,
    coverage: coverageOf(cluster, faults, recorder),
    around: aroundFirst(violations, recorder),
    sometimes: Object.fromEntries(sometimes.finish(unknownRevisions, notes)),
  };
}

function aroundFirst([first]: readonly Violation[], recorder: HistoryRecorder): readonly string[] {
  if (first === undefined) return [];
  return operationsAround(recorder.operations(), first.operations, first.atUs);
}

/** Sleeps in a client's own process. */
export function sleepIn(cluster: SimCluster, name: string, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    cluster.clientProcess(name).schedule(Math.ceil(milliseconds * 1000), 'sleep', resolve);
  });
}

/** Makes a planned client with its connection and its watches. */
function hire(
  plan: Plan,
  cluster: SimCluster,
  recorder: HistoryRecorder,
  notes: Notes,
  id: number,
): SimClient {
  const planned = plan.clients.find((client) => client.id === id);
  if (planned === undefined) throw new Error(`no client ${id} in the plan`);
  const name = `client-${id}`;
  const { members } = plan;
  let member = Math.min(planned.member, members);
  let incarnation = -1;
  let connection: RecordedConnection | undefined;
  const connect = (): RecordedConnection => {
    const machine = cluster.member(member);
    if (connection === undefined || machine.incarnation !== incarnation) {
      incarnation = machine.incarnation;
      const channel = cluster.connect(name, machine);
      const number = id * 1_000_000 + member * 10_000 + incarnation;
      connection = new RecordedConnection(
        channel,
        { client: id, member, connection: number },
        recorder,
      );
    }
    return connection;
  };
  const sleep = (milliseconds: number): Promise<void> => sleepIn(cluster, name, milliseconds);
  const library = new LibraryClient(cluster, id, recorder);
  notes.libraries.push(library);
  return new SimClient({
    plan: planned,
    nowMs: () => cluster.world.nowUs / 1000,
    sleep,
    connection: connect,
    move: (to) => {
      member = Math.min(to ?? (member % members) + 1, members);
      connection = undefined;
    },
    watches: new WatchStream(recorder, connect, sleep),
    tenantWatches: new TenantWatches(recorder, sleep),
    library,
    notes,
  });
}

function coverageOf(
  cluster: SimCluster,
  faults: FaultInjector,
  recorder: HistoryRecorder,
): Record<string, number> {
  const coverage: Record<string, number> = {};
  const add = (name: string, count: number): void => {
    if (count > 0) coverage[name] = (coverage[name] ?? 0) + count;
  };
  for (const [kind, count] of faults.counts) add(`fault ${kind}`, count);
  add('entries applied', cluster.ghost.lastIndex);
  add('leaders', cluster.ghost.leaders.size);
  add('states begun or installed', cluster.ghost.snapshotsInstalled);
  add('leases ended', cluster.ghost.leaseEndings.length);
  add('leases expired', cluster.ghost.leaseEndings.filter((each) => each.expired).length);
  for (const member of cluster.members) {
    add('power losses', member.counts.powerLosses);
    add('starts', member.counts.starts);
    add('failed starts', member.counts.failedStarts);
    add('corruption noticed', member.counts.corruptStarts);
  }
  add('messages lost', cluster.network.counts.lost);
  add('messages repeated', cluster.network.counts.repeated);
  for (const { outcome, request } of recorder.operations()) {
    add(`${request.kind} ${outcome.kind === 'failed' ? outcome.code : outcome.kind}`, 1);
  }
  for (const [kind, count] of Object.entries(faults.operator.counts)) add(`members ${kind}`, count);
  add('watches', recorder.watches().length);
  return coverage;
}
