/**
 * What must happen now and then, or the simulation does not reach where bugs live: each event has a name and is counted.
 */
import { notedFor } from '../checkers/lease-checkpoint.ts';
import { type Era, erasOf } from '../checkers/rights.ts';
import { outlivesItsRight, refusalOf } from '../checkers/watch-rights.ts';
import type { Operation } from '../history/operation.ts';
import type { WatchRecord } from '../history/watch-record.ts';
import type { Notes } from '../workload/sim-client.ts';
import { CRASH_POINTS } from './crash-points.ts';
import { changesOf, checkpointEvidence } from './judge.ts';
import type { Run } from './run-plan.ts';

const EVENTS = [
  'a snapshot is installed while a watch is open on the member',
  'a leader changes while leases run out',
  'what a deposed leader took for expired is left alone',
  'a leader tells of a lease that it took over from a checkpoint',
  'a member ends in the middle of a compaction',
  'two members take themselves for the leader',
  'an entry makes room for that of a newer leader',
  'leadership is handed over',
  'a leader is replaced by an empty disk',
  'a learner becomes a voter',
  'a follower hands a proposal on',
  'a follower asks for a read index',
  'a torn end of a log is cut off',
  'a segment of the log is begun',
  'a segment of the log is let go',
  'a damaged log is refused',
  'the disk of another member is refused',
  'a member has lost what others have, and knows nothing of it',
  'the whole cluster loses its power',
  'a watch is cancelled by a compaction',
  'a watch goes on at another member',
  'an operation of unknown outcome has happened',
  'an operation of unknown outcome has not happened',
  'a write is refused for want of space',
  'a call is refused for want of a right',
  'a read fails by a change of leader',
  'a compaction is asked for twice',
  'a lock is taken',
  'an application elects its leader',
  'a member waits in the queue of a lock for its client',
  'a member stands for election for its client',
  'a tenant is let in',
  'a tenant has no right to what he asks for',
  'a token is used that counts no more',
  'a watch is refused for want of a right',
  'a watch is refused for its token',
  'a watch outlives its right',
  'the client library tries again',
  'a backup is restored',
  'a cluster is started from a backup',
  'an old disk is put back',
] as const;

/** The names of all that must happen now and then. */
export const SOMETIMES: readonly string[] = [
  ...EVENTS,
  ...CRASH_POINTS.map((point) => `a member ends at ${point}`),
];

type Event = (typeof EVENTS)[number];

/** Counts what happens in a run. */
export class Sometimes {
  readonly counts: Map<string, number> = new Map();
  readonly #run: Run;
  /** When somebody became leader. */
  readonly #changesUs: number[] = [];

  constructor(run: Run) {
    this.#run = run;
    this.#listen();
  }

  /** The counts, with what only the whole run shows. */
  finish(
    unknownRevisions: ReadonlyMap<number, number>,
    { holds, libraries, servedTurns }: Notes,
  ): ReadonlyMap<string, number> {
    const { recorder } = this.#run;
    this.#countCluster();
    for (const { retries } of libraries) this.#see('the client library tries again', retries);
    for (const { kind } of holds) {
      this.#see(kind === 'lock' ? 'a lock is taken' : 'an application elects its leader');
    }
    for (const kind of servedTurns) {
      this.#see(
        kind === 'lock'
          ? 'a member waits in the queue of a lock for its client'
          : 'a member stands for election for its client',
      );
    }
    const operations = recorder.operations();
    for (const operation of operations) this.#countOperation(operation, unknownRevisions);
    this.#countCheckpoints(operations);
    this.#countWatches();
    return this.counts;
  }

  #see(event: Event, times = 1): void {
    this.#add(event, times);
  }

  #add(name: string, times: number): void {
    if (times > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  #listen(): void {
    const { cluster, recorder } = this.#run;
    const { ghost, world } = cluster;
    ghost.listeners.push({
      installed: (member) => {
        const isOpen = recorder
          .watches()
          .some((watch) => watch.member === member && watch.ended === undefined);
        if (isOpen) this.#see('a snapshot is installed while a watch is open on the member');
      },
      spared: () => this.#see('what a deposed leader took for expired is left alone'),
      life: (member, isUp) => {
        const { state } = cluster.member(member);
        if (!isUp && state?.store.isCompacting === true) {
          this.#see('a member ends in the middle of a compaction');
        }
      },
      status: (member, { isLeader, term }) => {
        if (!isLeader) return;
        this.#changesUs.push(world.nowUs);
        const others = cluster.members.filter((each) => each.number !== member);
        if (others.some(({ node }) => node?.status().isLeader === true)) {
          this.#see('two members take themselves for the leader');
        }
        if (ghost.claims.isTransfer(cluster.member(member).id, term)) {
          this.#see('leadership is handed over');
        }
      },
      sent: ({ type }) => {
        if (type === 'forward') this.#see('a follower hands a proposal on');
        else if (type === 'readRequest') this.#see('a follower asks for a read index');
      },
    });
  }

  #countCluster(): void {
    const { cluster, faults, plan } = this.#run;
    const { ghost } = cluster;
    const windowUs = 3 * plan.knobs.electionTimeoutMs * 1000;
    const runOut = ghost.leaseEndings.filter(
      ({ expired, atUs }) =>
        expired &&
        this.#changesUs.some((changeUs) => atUs >= changeUs && atUs - changeUs <= windowUs),
    );
    this.#see('a leader changes while leases run out', runOut.length);
    this.#see('an entry makes room for that of a newer leader', ghost.claims.overwritten);
    for (const member of cluster.members) {
      const { counts } = member;
      this.#see('a torn end of a log is cut off', counts.tornLogs);
      this.#see('a damaged log is refused', counts.corruptStarts);
      this.#see('the disk of another member is refused', counts.refusedDisks);
      for (const [point, count] of member.crashes) this.#add(`a member ends at ${point}`, count);
      const segments = member.segments();
      this.#see('a segment of the log is begun', Math.max(0, ...segments));
      this.#see('a segment of the log is let go', segments.length > 0 ? Math.min(...segments) : 0);
    }
    const lost = ['lies that came out', 'damage tail', 'old disks put back'];
    for (const what of lost) {
      const count = faults.counts.get(what) ?? 0;
      this.#see('a member has lost what others have, and knows nothing of it', count);
    }
    this.#see('the whole cluster loses its power', faults.counts.get('whole power losses') ?? 0);
    this.#see('an old disk is put back', faults.counts.get('old disks put back') ?? 0);
    this.#see('a backup is restored', faults.counts.get('backups restored') ?? 0);
    this.#see(
      'a cluster is started from a backup',
      faults.counts.get('clusters started from a backup') ?? 0,
    );
    this.#see('a leader is replaced by an empty disk', faults.operator.counts.leadersReplaced);
    this.#see('a learner becomes a voter', faults.operator.counts.promoted);
  }

  #countOperation(
    { id, request, outcome, member, caller }: Operation,
    unknownRevisions: ReadonlyMap<number, number>,
  ): void {
    if (caller !== undefined) this.#countTenant(outcome);
    if (outcome.kind === 'ok') return;
    const isWrite = ['put', 'deleteRange', 'txn'].includes(request.kind);
    if (outcome.kind === 'unknown' && isWrite) {
      const happened = unknownRevisions.has(id);
      this.#see(
        happened
          ? 'an operation of unknown outcome has happened'
          : 'an operation of unknown outcome has not happened',
      );
    }
    const { code } = outcome;
    if (code === 'NO_SPACE') this.#see('a write is refused for want of space');
    if (code === 'LEADER_CHANGED' && member > 0) this.#see('a read fails by a change of leader');
    if (code === 'COMPACTED' && request.kind === 'compact') {
      this.#see('a compaction is asked for twice');
    }
    if (RIGHTS.has(code)) this.#see('a call is refused for want of a right');
  }

  #countCheckpoints(operations: readonly Operation[]): void {
    const { cluster, plan } = this.#run;
    const evidence = checkpointEvidence(cluster.ghost, operations, plan);
    if (evidence.checkpoints.length === 0) return;
    for (const operation of operations) {
      const { request, outcome } = operation;
      if (request.kind !== 'leaseTimeToLive' || outcome.kind !== 'ok') continue;
      const isNoted = notedFor(evidence, operation, request.id) !== undefined;
      this.#see('a leader tells of a lease that it took over from a checkpoint', isNoted ? 1 : 0);
    }
  }

  #countTenant(outcome: Operation['outcome']): void {
    if (outcome.kind === 'ok') this.#see('a tenant is let in');
    else if (outcome.code === 'INVALID_AUTH_TOKEN')
      this.#see('a token is used that counts no more');
    else if (outcome.code === 'PERMISSION_DENIED') {
      this.#see('a tenant has no right to what he asks for');
    }
  }

  #countRights(watch: WatchRecord, eras: readonly Era[]): void {
    if (watch.caller === undefined) return;
    const code = refusalOf(watch);
    if (code === 'PERMISSION_DENIED') this.#see('a watch is refused for want of a right');
    else if (code === 'INVALID_AUTH_TOKEN') this.#see('a watch is refused for its token');
    if (outlivesItsRight(watch, eras)) this.#see('a watch outlives its right');
  }

  #countWatches(): void {
    const lastMember = new Map<string, number>();
    const eras = erasOf(changesOf(this.#run.cluster.ghost));
    for (const watch of this.#run.recorder.watches()) {
      this.#countRights(watch, eras);
      const isCompacted = watch.responses.some((each) => each.canceled && each.compactRevision > 0);
      if (isCompacted) this.#see('a watch is cancelled by a compaction');
      const key = `${watch.client} ${String(watch.key)}`;
      const before = lastMember.get(key);
      if (before !== undefined && before !== watch.member && watch.startRevision > 0) {
        this.#see('a watch goes on at another member');
      }
      lastMember.set(key, watch.member);
    }
  }
}

const RIGHTS: ReadonlySet<string> = new Set(['USER_EMPTY', 'PERMISSION_DENIED']);
