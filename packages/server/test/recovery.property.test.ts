/**
 * One member without consensus: its log, its state, its database, as recovery brings them together. The power goes before
 * any step on disk or database, and what was not durable is kept in part: then the state is the one that this history had
 * at the index at which it comes back, at that index and at every one replayed, and no acknowledged index is missing.
 */
import { assert, must, utf8 } from '@etcd-ts/base';
import { checkpointStore, flushStore, snapshotStore } from '@etcd-ts/mvcc';
import { changeConf, type ConfigChange, type Entry, type SnapshotMeta } from '@etcd-ts/raft';
import type { Wal } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command } from '../src/apply/command.ts';
import type { ReplicatedState } from '../src/apply/replicated-state.ts';
import { found } from '../src/bootstrap/founding.ts';
import { initialCluster } from '../src/bootstrap/initial-cluster.ts';
import { recover } from '../src/bootstrap/recovery.ts';
import { silentLogger } from '../src/logger.ts';
import { encodeMemberContext } from '../src/membership/member-context.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import type { Databases } from '../src/state/databases.ts';
import { LossyBackends } from './support/lossy-backends.ts';
import { randomFrom } from './support/random.ts';

const PEER_URL = 'http://localhost:2380';
const CLUSTER = initialCluster({
  name: 'm',
  token: 't',
  cluster: new Map([['m', [PEER_URL]]]),
});
const TERM = 2;

/** What an entry of the history does. */
type Work = Command | { readonly kind: 'learner'; readonly change: ConfigChange };

/** What the member does next. */
type Action =
  | { readonly kind: 'write'; readonly works: readonly Work[] }
  /** What was applied goes to the database. */
  | { readonly kind: 'flush' }
  /** The state is made durable, a mark set, the log dropped behind it. */
  | { readonly kind: 'mark' }
  /** A step of a compaction. */
  | { readonly kind: 'compactStep' }
  /** A leader that is further by so much sends its state. */
  | { readonly kind: 'snapshot'; readonly works: readonly Work[] };

/** Entries by index; those of before the first are the founding. */
class History {
  readonly #works: Work[] = [];
  #committedIndex = 1;

  get lastIndex(): number {
    return this.#works.length + 1;
  }

  push(work: Work): void {
    this.#works.push(work);
  }

  /** Everything so far was committed by others: it happens, whether this member has it or not. */
  commit(): void {
    this.#committedIndex = this.lastIndex;
  }

  /** What came after this index, and was not committed, never happened. */
  truncate(index: number): void {
    this.#works.length = Math.max(index, this.#committedIndex) - 1;
  }

  at(index: number): Work {
    return must(this.#works[index - 2], `entry ${index}`);
  }

  /** The state after this entry, and its hash after each. */
  async replay(through: number): Promise<{ state: ReplicatedState; hashes: readonly string[] }> {
    const { state } = await found(memoryLevelBackends(), {}, CLUSTER);
    const hashes = ['', state.stateHash()];
    while (state.appliedIndex < through) {
      applyTo(state, state.appliedIndex + 1, this.at(state.appliedIndex + 1));
      hashes.push(state.stateHash());
    }
    return { state, hashes };
  }
}

function applyTo(state: ReplicatedState, index: number, work: Work): void {
  if (work.kind !== 'learner') {
    state.apply({ index, term: TERM, command: work });
    return;
  }
  const { change } = work;
  const next = changeConf(state.confState, change);
  const confState = next.ok ? next.conf : state.confState;
  state.applyConfig({ index, term: TERM, change, confState });
}

/** Disk and databases, which lose power together. */
class Machine {
  readonly disk = new CrashDisk();
  readonly backends = new LossyBackends();
  /** Steps on either of them so far. */
  steps = 0;
  /** The power goes before this one. */
  cutAt = Number.POSITIVE_INFINITY;
  /** After so many steps more each time. */
  cuts: number[] = [];

  constructor() {
    this.disk.onOperation = () => (this.#isCut() ? { kind: 'power' } : undefined);
    this.backends.onOperation = () => {
      if (this.#isCut()) throw new Error('the power is gone');
    };
  }

  get hasPower(): boolean {
    return this.steps <= this.cutAt;
  }

  /** The power will go as the next of the cuts says. */
  arm(): void {
    this.cutAt = this.steps + (this.cuts.shift() ?? Number.POSITIVE_INFINITY);
  }

  /** The power comes back. */
  crash(keeps: () => boolean): void {
    this.arm();
    this.disk.crash(keeps);
    this.backends.crash(keeps);
  }

  #isCut(): boolean {
    this.steps += 1;
    return !this.hasPower;
  }
}

/** A member that runs. */
class Member {
  readonly #wal: Wal;
  readonly #databases: Databases;
  readonly #state: ReplicatedState;
  readonly #history: History;

  private constructor(
    history: History,
    parts: { readonly wal: Wal; readonly databases: Databases; readonly state: ReplicatedState },
  ) {
    this.#history = history;
    this.#wal = parts.wal;
    this.#databases = parts.databases;
    this.#state = parts.state;
  }

  /** Recovers, and compares with the history, of which it forgets what did not make it. */
  static async start(machine: Machine, history: History, acknowledged: number): Promise<Member> {
    const { disk, backends } = machine;
    const recovered = await recover({
      disk,
      backends,
      walDirectory: 'wal',
      clock: systemClock,
      log: silentLogger,
      walOptions: { segmentSizeBytes: 1_024, maxSegments: 1 },
      stateOptions: {},
      cluster: () => Promise.resolve({ kind: 'new', ...CLUSTER }),
      checkIsNew: () => Promise.resolve(),
      isForcedAlone: false,
      fetchState: () => Promise.reject(new Error('the database was lost')),
    });
    const { initial, state, wal } = recovered;
    const { hashes } = await history.replay(history.lastIndex);
    expect(state.stateHash()).toBe(hashes[state.appliedIndex]);
    for (const { index } of initial.entries.filter((entry) => entry.index > state.appliedIndex)) {
      expect(index).toBe(state.appliedIndex + 1);
      applyTo(state, index, history.at(index));
      expect(state.stateHash()).toBe(hashes[index]);
    }
    expect(state.appliedIndex).toBeGreaterThanOrEqual(acknowledged);
    expect(wal.stats().lastIndex).toBe(state.appliedIndex);
    history.truncate(state.appliedIndex);
    const member = new Member(history, recovered);
    await member.#append(state.appliedIndex + 1);
    return member;
  }

  get appliedIndex(): number {
    return this.#state.appliedIndex;
  }

  async perform(action: Action): Promise<void> {
    switch (action.kind) {
      case 'write':
        return this.#write(action.works);
      case 'flush':
        return flushStore(this.#state.store);
      case 'compactStep':
        this.#state.store.compactStep(2);
        return undefined;
      case 'mark':
        return this.#mark();
      case 'snapshot':
        return this.#takeIn(action.works);
    }
  }

  async #write(works: readonly Work[]): Promise<void> {
    const first = this.#history.lastIndex + 1;
    for (const work of works) this.#history.push(work);
    return this.#append(first);
  }

  /** Logs and applies the history from this index on. */
  async #append(first: number): Promise<void> {
    const count = this.#history.lastIndex - first + 1;
    if (count === 0) return;
    const entries = Array.from({ length: count }, (_, i): Entry => {
      const index = first + i;
      const work = this.#history.at(index);
      const payload =
        work.kind === 'learner'
          ? ({ kind: 'config', change: work.change } as const)
          : ({ kind: 'command', data: utf8(`entry ${index}`.padEnd(200)) } as const);
      return { index, term: TERM, payload };
    });
    const hardState = { term: TERM, vote: 0n, commit: first - 1 };
    await this.#wal.append({ entries, hardState }, { sync: true });
    for (const { index } of entries) applyTo(this.#state, index, this.#history.at(index));
  }

  async #mark(): Promise<void> {
    const { appliedIndex: index, appliedTerm: term, confState, store } = this.#state;
    await checkpointStore(store, { stepRevisions: 4 });
    await this.#wal.append({ snapshot: { index, term, confState }, entries: [] }, { sync: true });
    await this.#wal.release(Math.max(1, index - 2));
  }

  async #takeIn(works: readonly Work[]): Promise<void> {
    for (const work of works) this.#history.push(work);
    this.#history.commit();
    const { state: leader } = await this.#history.replay(this.#history.lastIndex);
    const { appliedIndex: index, appliedTerm: term, confState } = leader;
    const meta: SnapshotMeta = { index, term, confState };
    await this.#databases.receive(meta, snapshotStore(leader.store).chunks);
    const hardState = { term: TERM, vote: 0n, commit: index };
    await this.#wal.append({ snapshot: meta, entries: [], hardState }, { sync: true });
    await this.#databases.install(meta, this.#state);
  }
}

/** Runs the actions, over as many crashes as there are, and recovers once more at the end. */
async function run(
  machine: Machine,
  actions: readonly Action[],
  keeps: () => boolean,
): Promise<void> {
  const history = new History();
  let acknowledged = 1;
  const left = [...actions];
  while (left.length > 0) {
    try {
      const member = await Member.start(machine, history, acknowledged);
      for (let action; (action = left[0]) !== undefined; left.shift()) {
        await member.perform(action);
        acknowledged = member.appliedIndex;
      }
    } catch (error) {
      if (machine.hasPower) throw error;
    }
    // What was under way when the power went is not tried again.
    left.shift();
    machine.crash(keeps);
  }
  machine.cuts = [];
  machine.arm();
  const member = await Member.start(machine, history, acknowledged);
  assert(member.appliedIndex >= acknowledged, 'an acknowledged entry is missing');
}

const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
const put = (key: number, value: string): Work => ({
  kind: 'put',
  request: { key: utf8(`k${key}`), value: utf8(value), lease: 0n, ...flags },
});
const remove = (key: number): Work => ({
  kind: 'deleteRange',
  request: { key: utf8(`k${key}`), rangeEnd: utf8(''), prevKv: false },
});
const compact = (revision: number): Work => ({
  kind: 'compact',
  request: { revision, physical: false },
});
const grant = (id: number): Work => ({ kind: 'leaseGrant', request: { ID: BigInt(id), TTL: 60 } });
const learner = (id: number): Work => ({
  kind: 'learner',
  change: {
    steps: [{ op: 'addLearner', node: BigInt(id) }],
    transition: 'auto',
    context: encodeMemberContext([{ id: BigInt(id), name: '', peerUrls: [`http://l${id}:1`] }]),
  },
});
const write = (...works: readonly Work[]): Action => ({ kind: 'write', works });
const FLUSH: Action = { kind: 'flush' };
const MARK: Action = { kind: 'mark' };
const COMPACT_STEP: Action = { kind: 'compactStep' };

/** Every path: persist, apply, snapshot, install, purge. */
const SCRIPT: readonly Action[] = [
  write(put(1, 'a')),
  write(put(2, 'b'), grant(7), put(1, 'c')),
  FLUSH,
  write(learner(5), put(3, 'd')),
  MARK,
  write(remove(1), put(4, 'x'.repeat(600))),
  write(compact(4)),
  COMPACT_STEP,
  FLUSH,
  MARK,
  COMPACT_STEP,
  { kind: 'snapshot', works: [put(5, 'e'), put(1, 'f'), grant(8)] },
  write(put(6, 'y'.repeat(700))),
  COMPACT_STEP,
  MARK,
  write(put(2, 'g'), remove(3)),
];

async function stepsOf(actions: readonly Action[]): Promise<number> {
  const machine = new Machine();
  await run(machine, actions, () => true);
  return machine.steps;
}

test(
  'whatever step of persisting, applying, snapshots, installing and purging the power goes before',
  { timeout: 120_000 },
  async () => {
    const steps = await stepsOf(SCRIPT);
    expect(steps).toBeGreaterThan(80);
    for (let cut = 0; cut < steps; cut++) {
      for (const survival of ['nothing', 'everything', 'drawn'] as const) {
        const machine = new Machine();
        machine.cutAt = cut;
        const random = randomFrom(cut);
        const keeps = (): boolean =>
          survival === 'drawn' ? random.uint32() % 2 === 0 : survival === 'everything';
        await run(machine, SCRIPT, keeps).catch((cause: unknown) => {
          throw new Error(`power gone before step ${cut}, ${survival} kept`, { cause });
        });
      }
    }
  },
);

const work: fc.Arbitrary<Work> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat(5), fc.string({ maxLength: 300 })).map(([k, v]) => put(k, v)),
  },
  { weight: 2, arbitrary: fc.nat(5).map(remove) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }).map(compact) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 5 }).map(grant) },
  { weight: 1, arbitrary: fc.integer({ min: 5, max: 6 }).map(learner) },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(work, { minLength: 1, maxLength: 4 }).map((works) => write(...works)),
  },
  { weight: 2, arbitrary: fc.constantFrom(FLUSH, MARK, COMPACT_STEP) },
  {
    weight: 1,
    arbitrary: fc
      .array(work, { minLength: 1, maxLength: 3 })
      .map((works): Action => ({ kind: 'snapshot', works })),
  },
);

test('in any history, and over several crashes', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(60), { minLength: 1, maxLength: 3 }),
      fc.nat(),
      async (actions, cuts, seed) => {
        const machine = new Machine();
        const random = randomFrom(seed);
        machine.cuts = [...cuts];
        machine.arm();
        await run(machine, actions, () => random.uint32() % 2 === 0);
      },
    ),
    { numRuns: 150 },
  );
});
