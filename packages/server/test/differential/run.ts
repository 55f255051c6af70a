/**
 * Sends the same seeded requests to two servers and compares the answers field by field.
 *
 * The first difference ends a run: what follows would only repeat it.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Channel, RangeRequest } from '@etcd-ts/protocol';
import { type Answer, comparable, errorAnswer } from './answer.ts';
import { Draw } from './draw.ts';
import { KeepAliveSession } from './keep-alive-session.ts';
import { drawShortLease, LEASES } from './lease-requests.ts';
import { observe } from './observation.ts';
import { drawElection } from './recipe-requests.ts';
import { drawUnary } from './requests.ts';
import { snapshotShape } from './snapshot-shape.ts';
import type { Progress, UnaryStep } from './step.ts';
import { drawWatch, PROGRESS, WatchSession } from './watch-session.ts';

/** How one run went. */
export interface RunResult {
  readonly requests: number;
  readonly difference: Difference | undefined;
}

/** The first request that two servers answered differently. */
export interface Difference {
  readonly step: number;
  readonly asked: unknown;
  readonly ours: unknown;
  readonly theirs: unknown;
}

/** What is sent and for how long. */
export interface RunOptions {
  readonly seed: number;
  readonly operations: number;
  /** How long a watch event may stay away before it counts as missing. */
  readonly watchTimeoutMs: number;
}

const NUL = new Uint8Array([0]);

/** A lease of the shortest life may end by itself when its revoke comes later than this. */
const SHORT_LEASE_MS = 1_000;

/** Operations between two looks at the watches. */
const WATCH_ROUND = 40;

/** Drives two empty servers with one seed. */
export async function compareServers(
  ours: Channel,
  theirs: Channel,
  options: RunOptions,
): Promise<RunResult> {
  const run = new Run({ ours, theirs }, await WatchSession.open(ours, theirs), options);
  try {
    for (let step = 1; step <= options.operations; step++) {
      const found = await run.step(step);
      if (found !== undefined) return { requests: step, difference: { step, ...found } };
    }
    return { requests: options.operations, difference: undefined };
  } finally {
    run.close();
  }
}

type Found = Omit<Difference, 'step'> | undefined;

class Run {
  readonly #ours: Channel;
  readonly #theirs: Channel;
  readonly #draw: Draw;
  readonly #watchTimeoutMs: number;
  readonly #progress: Progress = {
    revision: 1,
    compactRevision: 0,
    isCompacted: false,
    isAlarmed: false,
    campaigns: new Map(),
  };
  readonly #keepAlive: KeepAliveSession;
  #session: WatchSession;
  #sentinels = 0;

  constructor(
    { ours, theirs }: { ours: Channel; theirs: Channel },
    session: WatchSession,
    { seed, watchTimeoutMs }: RunOptions,
  ) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#session = session;
    this.#keepAlive = new KeepAliveSession(ours, theirs);
    this.#draw = new Draw(seed);
    this.#watchTimeoutMs = watchTimeoutMs;
  }

  async step(step: number): Promise<Found> {
    if (step % WATCH_ROUND === 0) return this.#watchRound();
    if (this.#draw.oneIn(12)) {
      await this.#session.send(drawWatch(this.#draw, this.#progress));
      return undefined;
    }
    if (this.#draw.oneIn(40)) return this.#renew(this.#draw.pick([...LEASES, 0n, 99n]));
    if (this.#draw.oneIn(80)) return this.#shortLease();
    if (this.#draw.oneIn(60)) return this.#observation();
    if (this.#draw.oneIn(200)) return this.#snapshot();
    const unary = drawUnary(this.#draw, this.#progress);
    if (unary.method === 'etcdserverpb.KV/Compact') {
      // Whether a watcher that reads history is overtaken by a compaction is a matter of luck.
      const found = await this.#watchRound();
      if (found !== undefined) return found;
    }
    return this.#unary(unary);
  }

  close(): void {
    this.#session.close();
    this.#keepAlive.close();
  }

  async #renew(ID: bigint): Promise<Found> {
    const [ours, theirs] = await this.#keepAlive.renew(ID);
    if (isDeepStrictEqual(ours, theirs)) return undefined;
    return {
      asked: { method: 'etcdserverpb.Lease/LeaseKeepAlive', request: { ID } },
      ours,
      theirs,
    };
  }

  /** Somebody campaigns and says something else afterwards, while others look. */
  async #observation(): Promise<Found> {
    const { lease, name, campaign, proclaim } = drawElection(this.#draw);
    const { campaigns } = this.#progress;
    campaigns.delete(lease);
    const found = await this.#unary(campaign);
    const rev = campaigns.get(lease);
    // Without the lease, or while an alarm is raised, nobody leads.
    if (found !== undefined || rev === undefined) return found;
    let changed: Found;
    const [ours, theirs] = await observe([this.#ours, this.#theirs], name, async () => {
      changed = await this.#unary(proclaim(rev));
    });
    if (changed !== undefined || isDeepStrictEqual(ours, theirs)) return changed;
    return { asked: { method: 'v3electionpb.Election/Observe', request: { name } }, ours, theirs };
  }

  async #snapshot(): Promise<Found> {
    const [ours, theirs] = await Promise.all([this.#ours, this.#theirs].map(snapshotShape));
    if (isDeepStrictEqual(ours, theirs)) return undefined;
    return { asked: { method: 'etcdserverpb.Maintenance/Snapshot' }, ours, theirs };
  }

  async #shortLease(): Promise<Found> {
    const beganMs = performance.now();
    for (const step of drawShortLease(this.#draw)) {
      const found = await this.#unary(step);
      if (found !== undefined && performance.now() - beganMs < SHORT_LEASE_MS) return found;
    }
    return undefined;
  }

  async #unary(step: UnaryStep): Promise<Found> {
    const [a, b] = await Promise.all([ask(this.#ours, step), ask(this.#theirs, step)]);
    follow(step, b, this.#progress);
    const [ours, theirs] = [comparable(step, a), comparable(step, b)];
    if (isDeepStrictEqual(ours, theirs)) return undefined;
    if (await this.#isHashOfNothing(step)) return undefined;
    return { asked: step, ours, theirs };
  }

  /**
   * Where no key lives at the revision, real etcd's hash takes in whatever a compaction has left on disk by then, which
   * differs from moment to moment.
   */
  async #isHashOfNothing(step: UnaryStep): Promise<boolean> {
    if (step.method !== 'etcdserverpb.Maintenance/HashKV' || !this.#progress.isCompacted)
      return false;
    const everything = {
      key: NUL,
      rangeEnd: NUL,
      revision: step.request.revision,
      countOnly: true,
    };
    const { count } = await this.#theirs.unary(
      'etcdserverpb.KV/Range',
      RangeRequest.fromPartial(everything),
    );
    return count === 0;
  }

  /** Lets the watchers of both sides come to rest, and compares what they heard. */
  async #watchRound(): Promise<Found> {
    await Promise.all([lowerAlarms(this.#ours), lowerAlarms(this.#theirs)]);
    this.#progress.isAlarmed = false;
    await this.#session.catchUp();
    const mark = { method: 'etcdserverpb.KV/Put', request: WatchSession.sentinel() } as const;
    const found = await this.#unary(mark);
    if (found !== undefined) return found;
    this.#sentinels++;
    const [ours, theirs] = await this.#session.settled(this.#sentinels, this.#watchTimeoutMs);
    if (!isDeepStrictEqual(ours, theirs)) return { asked: 'what the watchers heard', ours, theirs };
    if (this.#draw.oneIn(3)) await this.#session.send(PROGRESS);
    if (this.#draw.oneIn(5)) {
      this.#session.close();
      this.#session = await WatchSession.open(this.#ours, this.#theirs);
      this.#sentinels = 0;
    }
    return undefined;
  }
}

async function ask(channel: Channel, step: UnaryStep): Promise<Answer> {
  try {
    return { ok: await channel.unary(step.method, step.request) };
  } catch (error) {
    return errorAnswer(error);
  }
}

/** Notes what the generator wants to know of an answer. */
export function follow(step: UnaryStep, answer: Answer, progress: Progress): void {
  if ('error' in answer) return;
  const { header } = answer.ok as { header?: { revision: number } };
  progress.revision = Math.max(progress.revision, header?.revision ?? 0);
  if (step.method === 'v3electionpb.Election/Campaign') {
    const { leader } = answer.ok as { leader: { rev: number } };
    progress.campaigns.set(step.request.lease, leader.rev);
  }
  if (step.method !== 'etcdserverpb.KV/Compact') return;
  progress.compactRevision = step.request.revision;
  progress.isCompacted = true;
}

/** Alarms block writes; a round begins without any. */
async function lowerAlarms(channel: Channel): Promise<void> {
  for (const memberID of [0n, 7n]) {
    for (const alarm of [1, 2]) {
      await channel.unary('etcdserverpb.Maintenance/Alarm', { action: 2, memberID, alarm });
    }
  }
}
