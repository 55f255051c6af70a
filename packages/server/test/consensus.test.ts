import { clusterId, memberId } from '@etcd-ts/base';
import { RaftCore, type RaftInitialState } from '@etcd-ts/raft';
import { MemoryDisk, openWal, type Wal } from '@etcd-ts/wal';
import { describe, test } from 'vitest';
import { type Consensus, loneVoter } from '../src/consensus/consensus.ts';
import { RaftConsensus } from '../src/consensus/raft-consensus.ts';
import { SingleWriterConsensus } from '../src/consensus/single-writer-consensus.ts';
import { silentLogger } from '../src/logger.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { RevocableDisk } from '../src/state/revocable-disk.ts';
import { consensusSuite, type EngineUnderTest } from '../src/testing/consensus-suite.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const ID = memberId(1n);
const METADATA = { clusterId: clusterId(9n), memberId: ID };
const FOUNDING = { index: 1, term: 1, confState: loneVoter(ID) };

type Build = (parts: { wal: Wal; initial: RaftInitialState; clock: ManualClock }) => Consensus;

const raft: Build = ({ wal, initial, clock }) =>
  new RaftConsensus({
    core: new RaftCore({ id: ID, seed: 7 }, initial),
    wal,
    transport: new InMemoryNetwork(clock).transport(),
    clock,
    log: silentLogger,
    tickMs: 100,
    advanceTicks: 0,
  });

const singleWriter: Build = ({ wal, initial, clock }) =>
  new SingleWriterConsensus({ id: ID, wal, initial, clock });

async function engine(build: Build, memory: MemoryDisk, applied = 1): Promise<EngineUnderTest> {
  const disk = new RevocableDisk(memory);
  const clock = new ManualClock();
  const { wal, recovered } = await openWal({ disk, directory: 'wal', metadata: METADATA });
  if (recovered === undefined) {
    const hardState = { term: 1, vote: 0n, commit: 1 };
    await wal.append({ snapshot: FOUNDING, entries: [], hardState }, { sync: true });
  }
  const entries = recovered?.entries ?? [];
  const initial: RaftInitialState = {
    hardState: recovered?.hardState ?? { term: 1, vote: 0n, commit: 1 },
    snapshotIndex: applied,
    snapshotTerm:
      entries.find(({ index }) => index === applied)?.term ?? recovered?.snapshot?.term ?? 1,
    confState: loneVoter(ID),
    entries,
    applied,
  };
  return {
    consensus: build({ wal, initial, clock }),
    turn: async () => {
      await clock.pass(1);
      // The disk works in turns of its own.
      await new Promise((resolve) => setImmediate(resolve));
    },
    restart: async (next) => {
      await disk.revoke();
      return engine(build, memory, next);
    },
  };
}

describe('Raft', () => {
  for (const { name, run } of consensusSuite(() => engine(raft, new MemoryDisk()))) test(name, run);
});

describe('single writer', () => {
  for (const { name, run } of consensusSuite(() => engine(singleWriter, new MemoryDisk()))) {
    test(name, run);
  }
});
