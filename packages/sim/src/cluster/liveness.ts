/**
 * The liveness phase (LV1): after everything is healed, every member serves, all agree, and watches and leases have come
 * to where they belong.
 */
import { utf8 } from '@etcd-ts/base';
import { CLOSING_CLIENT, EVERYTHING } from '../history/closing.ts';
import type { HistoryRecorder } from '../history/recorder.ts';
import type { Plan } from '../plan/plan.ts';
import { RecordedConnection } from '../workload/connection.ts';
import { rangeRequest } from '../workload/wire.ts';
import { checkAtRest } from './bounds.ts';
import type { Operator } from './operator.ts';
import { sleepIn } from './run-plan.ts';
import type { SimCluster } from './sim-cluster.ts';

const POLL_MS = 200;
const CALL_TIMEOUT_MS = 8_000;
/** Time for watches to reach the head once all agree: several catch-up rounds and a reconnection. */
const WATCH_SETTLE_MS = 8_000;

/** Waits until the cluster is whole again. Gives the time since when it was; undefined when that never came. */
export async function awaitRecovery(
  plan: Plan,
  cluster: SimCluster,
  recorder: HistoryRecorder,
  operator: Operator,
): Promise<number | undefined> {
  const { world } = cluster;
  const deadlineUs = world.nowUs + plan.livenessMs * 1000;
  let calmSinceUs: number | undefined;
  while (calmSinceUs === undefined && world.nowUs < deadlineUs) {
    const isAtRest = operator.isIdle && cluster.isInAgreement;
    if (isAtRest && needsCalming(plan)) await operator.calmDown();
    if (isAtRest && (await everyMemberServes(cluster, recorder))) calmSinceUs = world.nowUs;
    else await sleepIn(cluster, 'conductor', POLL_MS);
  }
  if (calmSinceUs === undefined) {
    cluster.ghost.findings.add(
      'LV1',
      describe(cluster, operator, plan.livenessMs),
      [],
      world.nowUs,
    );
    return undefined;
  }
  await sleepIn(cluster, 'conductor', Math.max(WATCH_SETTLE_MS, leaseSettleMs(plan)));
  if (!cluster.isInAgreement) {
    await sleepIn(cluster, 'conductor', 1_000);
    if (!cluster.isInAgreement) {
      cluster.ghost.findings.add(
        'LV1',
        describe(cluster, operator, plan.livenessMs),
        [],
        world.nowUs,
      );
    }
  }
  checkWhatWasLost(cluster);
  await checkAtRest(cluster, plan);
  return calmSinceUs;
}

/** What a disk has lost without a word has come back from the others (DK5). */
function checkWhatWasLost({ ghost, present, world }: SimCluster): void {
  for (const { number, node } of present) {
    const index = ghost.lostUnnoticed.get(number) ?? 0;
    const applied = node?.status().appliedIndex ?? 0;
    if (applied >= index) continue;
    ghost.findings.add(
      'DK5',
      `the disk of member ${number} fell back when it had applied ${index}; now all is well, and it has ${applied}`,
      [],
      world.nowUs,
    );
  }
}

function needsCalming({ faults }: Plan): boolean {
  return faults.some(({ kind }) => kind === 'alarm' || kind === 'auth');
}

/** Time after which every lease of the plan has run out. */
function leaseSettleMs(plan: Plan): number {
  let longestSeconds = 0;
  for (const client of plan.clients) {
    for (const step of client.steps) {
      if ('ttlSeconds' in step) longestSeconds = Math.max(longestSeconds, step.ttlSeconds);
    }
  }
  return longestSeconds === 0 ? 0 : longestSeconds * 1000 + 2 * plan.knobs.electionTimeoutMs + 3000;
}

async function everyMemberServes(cluster: SimCluster, recorder: HistoryRecorder): Promise<boolean> {
  const answers = cluster.present.map(async (member) => {
    const channel = cluster.connect('client-closing', member);
    const connection = 10_000 * member.number + member.incarnation;
    const by = { client: CLOSING_CLIENT, member: member.number, connection };
    const recorded = new RecordedConnection(channel, by, recorder);
    const key = utf8(`key/closing-${member.number}`);
    const value = utf8(`closing-${member.number}-${cluster.world.nowUs}`);
    const flags = { lease: 0n, prevKv: true, ignoreValue: false, ignoreLease: false };
    const put = await recorded.call(
      { kind: 'put', request: { key, value, ...flags } },
      CALL_TIMEOUT_MS,
    );
    if (put.kind !== 'ok') return false;
    const request = rangeRequest(EVERYTHING, { rangeEnd: utf8(EVERYTHING) });
    const read = await recorded.call({ kind: 'range', request }, CALL_TIMEOUT_MS);
    return read.kind === 'ok';
  });
  return (await Promise.all(answers)).every(Boolean);
}

function describe(cluster: SimCluster, { pending }: Operator, afterMs: number): string {
  const members = cluster.present.map((member) => {
    const status = member.node?.status();
    if (status === undefined) {
      return `member ${member.number} does not run (${member.lastFailure?.message ?? 'no failure'})`;
    }
    return (
      `member ${member.number}: term ${status.term}, leader ${status.leader.toString(16)}, ` +
      `committed ${status.committedIndex}, applied ${status.appliedIndex}`
    );
  });
  return `${afterMs} ms after everything was healed the members do not serve or agree: ${members.join('; ')}; the operator has yet to do: ${pending.join(', ') || 'nothing'}`;
}
