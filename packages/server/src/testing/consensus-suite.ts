/**
 * The contract of {@link Consensus} as tests, for whoever makes an engine:
 *
 *     for (const { name, run } of consensusSuite(factory)) test(name, run);
 *
 * It brings no test framework: a claim that does not hold rejects with an InvariantError that says which.
 */
import { assert, fromUtf8, must, utf8 } from '@etcd-ts/base';
import type { Entry, LogIndex, Outcome, SnapshotMeta } from '@etcd-ts/raft';
import type { Consensus, ConsensusHost, ConsensusStatus } from '../consensus/consensus.ts';
import type { ContractCase } from './contract.ts';

/** An engine of a cluster of one, and the world that it lives in. */
export interface EngineUnderTest {
  readonly consensus: Consensus;
  /** Lets the world go on: turns, timers, the disk. */
  turn(): Promise<void>;
  /**
   * The same member after its process was killed, its state having come to `applied`.
   *
   * @param mark The newest mark of the state; undefined: the one it was founded with.
   */
  restart(applied: LogIndex, mark: SnapshotMeta | undefined): Promise<EngineUnderTest>;
}

/** Turns after which something that should happen has not. */
const PATIENCE_TURNS = 20_000;

/** The claims, each to be run on an engine of its own. */
export function consensusSuite(make: () => Promise<EngineUnderTest>): ContractCase[] {
  return CLAIMS.map(([name, claim]) => ({
    name,
    run: async () => {
      const rig = new Rig(await make());
      try {
        await claim(rig);
      } finally {
        await rig.engine.consensus.stop();
      }
    },
  }));
}

type Claim = (rig: Rig) => Promise<void>;

const CLAIMS: readonly (readonly [string, Claim])[] = [
  ['a cluster of one has a leader, and the host is told', leads],
  ['what is proposed is applied once, in order, and its tokens are told', proposes],
  ['the next page comes only when the one before is applied', pages],
  ['a read index covers everything that was answered before it was asked', reads],
  ['no method calls the host before it returns', later],
  ['after a stop nothing is heard, and everything proposed before is in the log', stops],
  ['after a kill nothing is heard', kills],
  ['a restart hands out what was committed and not yet applied, and nothing twice', restarts],
  ['behind a mark the log is dropped, and a restart goes on after it', compacts],
  ['a second start is refused', twice],
];

/** An engine with a host that writes everything down. */
class Rig implements ConsensusHost {
  engine: EngineUnderTest;
  entries: Entry[] = [];
  /** Pages that came; answered at once unless `holdsPages`. */
  pages = 0;
  holdsPages = false;
  calls = 0;
  readonly outcomes = new Map<number, Outcome[]>();
  status: ConsensusStatus | undefined;
  failure: Error | undefined;

  constructor(engine: EngineUnderTest) {
    this.engine = engine;
  }

  stepping(): void {
    this.calls += 1;
  }

  apply(entries: readonly Entry[]): void {
    this.calls += 1;
    this.pages += 1;
    this.entries.push(...entries);
    if (!this.holdsPages) this.engine.consensus.applied(must(entries.at(-1), 'entry').index);
  }

  outcome(token: number, outcome: Outcome): void {
    this.calls += 1;
    this.outcomes.set(token, [...(this.outcomes.get(token) ?? []), outcome]);
  }

  statusChanged(status: ConsensusStatus): void {
    this.calls += 1;
    this.status = status;
  }

  takeSnapshot(): never {
    throw new Error('a cluster of one sends no snapshot');
  }

  receiveSnapshot(): never {
    throw new Error('a cluster of one receives no snapshot');
  }

  installSnapshot(): never {
    throw new Error('a cluster of one installs no snapshot');
  }

  discardSnapshot(): void {
    this.calls += 1;
  }

  stopped(reason: Error): void {
    this.failure = reason;
  }

  async begin(): Promise<void> {
    this.engine.consensus.start(this);
    this.engine.consensus.campaign();
    await this.until(
      () => this.status?.role === 'leader',
      () => `the engine is ${this.status?.role}`,
    );
  }

  async until(condition: () => boolean, what: () => string): Promise<void> {
    for (let turn = 0; turn < PATIENCE_TURNS; turn++) {
      if (this.failure !== undefined) throw this.failure;
      if (condition()) return;
      await this.engine.turn();
    }
    assert(false, what);
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.engine.turn();
  }

  /** Proposes texts, with tokens from `first` on, and waits until all are applied. */
  async write(first: number, texts: readonly string[]): Promise<void> {
    const before = this.texts().length;
    for (const [at, text] of texts.entries()) this.engine.consensus.propose(first + at, utf8(text));
    await this.until(
      () => this.texts().length === before + texts.length,
      () => `${this.texts().length - before} of ${texts.length} commands were applied`,
    );
  }

  texts(): readonly string[] {
    return this.entries.flatMap(({ payload }) =>
      payload.kind === 'command' ? [fromUtf8(payload.data)] : [],
    );
  }

  lastIndex(): LogIndex {
    return this.entries.at(-1)?.index ?? 0;
  }
}

const TEXTS: readonly string[] = Array.from({ length: 50 }, (_, i) => `command ${i}`);

async function leads(rig: Rig): Promise<void> {
  await rig.begin();
  const status = rig.engine.consensus.status();
  assert(status.leader !== 0n && status.role === 'leader', () => `the leader is ${status.leader}`);
}

async function proposes(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, TEXTS);
  assert(rig.texts().join() === TEXTS.join(), () => `applied: ${rig.texts().join()}`);
  for (const [at, { index }] of rig.entries.entries()) {
    const first = must(rig.entries[0], 'first entry').index;
    assert(index === first + at, () => `entry ${index} is at place ${at} after ${first}`);
  }
  await rig.until(
    () => TEXTS.every((_, at) => (rig.outcomes.get(at + 1)?.length ?? 0) === 2),
    () => 'a token lacks its final outcome',
  );
  for (const [at] of TEXTS.entries()) {
    const kinds = rig.outcomes.get(at + 1)?.map(({ kind }) => kind);
    assert(kinds?.join() === 'accepted,committed', () => `token ${at + 1}: ${kinds?.join()}`);
  }
}

async function pages(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, ['a']);
  rig.holdsPages = true;
  const before = rig.pages;
  rig.engine.consensus.propose(2, utf8('b'));
  await rig.until(
    () => rig.pages > before,
    () => 'no page came',
  );
  rig.engine.consensus.propose(3, utf8('c'));
  await rig.turns(100);
  assert(rig.pages === before + 1, () => `${rig.pages - before} pages came, one was answered`);
  rig.holdsPages = false;
  rig.engine.consensus.applied(rig.lastIndex());
  await rig.until(
    () => rig.texts().join('') === 'abc',
    () => `applied: ${rig.texts().join('')}`,
  );
}

async function reads(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, TEXTS);
  const applied = rig.lastIndex();
  rig.engine.consensus.readIndex(1_000);
  await rig.until(
    () => rig.outcomes.has(1_000),
    () => 'the read got no index',
  );
  const [outcome] = rig.outcomes.get(1_000) ?? [];
  assert(outcome?.kind === 'readable', () => `the outcome is ${outcome?.kind}`);
  assert(outcome.index >= applied, () => `index ${outcome.index}, answered was ${applied}`);
}

async function later(rig: Rig): Promise<void> {
  await rig.begin();
  const before = rig.calls;
  rig.engine.consensus.propose(1, utf8('a'));
  rig.engine.consensus.readIndex(2);
  rig.engine.consensus.transferLeadership(3, 1n);
  const after = rig.calls;
  assert(after === before, () => `${after - before} calls came before the methods returned`);
  await rig.turns(10);
}

async function stops(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, ['a', 'b']);
  await rig.engine.consensus.stop();
  const before = rig.calls;
  rig.engine.consensus.propose(3, utf8('c'));
  await rig.turns(100);
  assert(rig.calls === before, 'a stopped engine spoke');
}

async function kills(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, ['a']);
  rig.engine.consensus.propose(2, utf8('b'));
  rig.engine.consensus.kill();
  const before = rig.calls;
  await rig.turns(100);
  assert(rig.calls === before, 'a killed engine spoke');
}

async function restarts(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, ['a', 'b', 'c']);
  const second = must(
    rig.entries.filter(({ payload }) => payload.kind === 'command')[1],
    'second command',
  );
  rig.engine.consensus.kill();
  rig.engine = await rig.engine.restart(second.index, undefined);
  rig.entries = [];
  rig.status = undefined;
  await rig.begin();
  await rig.write(10, ['d']);
  assert(rig.texts().join('') === 'cd', () => `after the restart: ${rig.texts().join('')}`);
}

async function compacts(rig: Rig): Promise<void> {
  await rig.begin();
  await rig.write(1, TEXTS);
  const last = must(rig.entries.at(-1), 'last entry');
  const confState = {
    voters: [1n],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const mark: SnapshotMeta = { index: last.index, term: last.term, confState };
  rig.engine.consensus.compact(mark, last.index);
  await rig.until(
    () => rig.engine.consensus.status().firstIndex === last.index + 1,
    () => `the log begins at ${rig.engine.consensus.status().firstIndex}`,
  );
  await rig.write(1_000, ['after']);
  rig.engine.consensus.kill();
  rig.engine = await rig.engine.restart(last.index, mark);
  rig.entries = [];
  rig.status = undefined;
  await rig.begin();
  await rig.until(
    () => rig.texts().length > 0,
    () => 'nothing was handed out again',
  );
  assert(rig.texts().join('') === 'after', () => `after the mark: ${rig.texts().join('')}`);
}

async function twice(rig: Rig): Promise<void> {
  await rig.begin();
  let refused = false;
  try {
    rig.engine.consensus.start(rig);
  } catch {
    refused = true;
  }
  assert(refused, 'a second start was taken');
}
