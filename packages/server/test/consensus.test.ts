import { clusterId, memberId, must } from '@etcd-ts/base';
import {
  type Entry,
  type Message,
  RaftCore,
  type RaftInitialState,
  type SnapshotMessage,
  type SnapshotMeta,
} from '@etcd-ts/raft';
import { MemoryDisk, openWal, type Wal } from '@etcd-ts/wal';
import { describe, expect, test } from 'vitest';
import { type Consensus, type ConsensusHost, loneVoter } from '../src/consensus/consensus.ts';
import { RaftConsensus } from '../src/consensus/raft-consensus.ts';
import { SingleWriterConsensus } from '../src/consensus/single-writer-consensus.ts';
import { silentLogger } from '../src/logger.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import type { PeerTransport } from '../src/peers/peer-transport.ts';
import { RevocableDisk } from '../src/state/revocable-disk.ts';
import { consensusSuite, type EngineUnderTest } from '../src/testing/consensus-suite.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const ID = memberId(1n);
const METADATA = { clusterId: clusterId(9n), memberId: ID };
const FOUNDING = { index: 1, term: 1, confState: loneVoter(ID) };

type Build = (parts: { wal: Wal; initial: RaftInitialState; clock: ManualClock }) => Consensus;

const raft: Build = (parts) => raftOver(new InMemoryNetwork(parts.clock).transport())(parts);

const raftOver =
  (transport: PeerTransport): Build =>
  ({ wal, initial, clock }) =>
    new RaftConsensus({
      core: new RaftCore({ id: ID, seed: 7 }, initial),
      wal,
      transport,
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

test('a member that is past a snapshot refuses its content, and tells the leader how far it is', async () => {
  const sent: Message[] = [];
  const network = new InMemoryNetwork(new ManualClock());
  const transport = Object.assign(network.transport(), {
    send: (messages: readonly Message[]) => void sent.push(...messages),
  });
  const rig = await engine(raftOver(transport), new MemoryDisk());
  const { consensus } = rig;
  const host = {
    stepping: () => undefined,
    apply: (entries: readonly Entry[]) => consensus.applied(must(entries.at(-1), 'entry').index),
    outcome: () => undefined,
    statusChanged: () => undefined,
    discardSnapshot: () => undefined,
    stopped: (reason: Error) => expect.fail(reason.message),
  };
  consensus.start(host as unknown as ConsensusHost);
  consensus.campaign();
  for (let i = 0; i < 20; i++) await rig.turn();
  const { term, committedIndex } = consensus.status();
  expect(committedIndex).toBeGreaterThan(1);
  const message: SnapshotMessage = {
    type: 'snapshot',
    from: 2n,
    to: ID,
    term: term + 1,
    session: 0,
    snapshot: { index: committedIndex, term, confState: loneVoter(ID) },
  };
  const unread = { [Symbol.asyncIterator]: () => expect.fail('the content was read') };
  await expect((consensus as RaftConsensus).receiveSnapshot(message, unread)).rejects.toThrow(
    `snapshot at index ${committedIndex} of term ${term + 1} is behind this member`,
  );
  for (let i = 0; i < 20; i++) await rig.turn();
  expect(sent).toContainEqual(
    expect.objectContaining({
      type: 'appendResponse',
      to: 2n,
      index: committedIndex,
      rejected: false,
    }),
  );
});

test('the content of a snapshot that is being received breaks off when the engine ends', async () => {
  const { consensus } = await engine(raft, new MemoryDisk());
  const host = {
    receiveSnapshot: async (_meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>) => {
      for await (const _ of chunks) continue;
    },
  };
  consensus.start(host as unknown as ConsensusHost);
  const message: SnapshotMessage = {
    type: 'snapshot',
    from: 2n,
    to: ID,
    term: 2,
    session: 0,
    snapshot: { index: 9, term: 2, confState: loneVoter(ID) },
  };
  async function* endless(): AsyncGenerator<Uint8Array> {
    await new Promise<never>(() => undefined);
    yield new Uint8Array(0);
  }
  const received = (consensus as RaftConsensus).receiveSnapshot(message, endless());
  consensus.kill();
  await expect(received).rejects.toThrow('the engine has ended');
});

describe('single writer', () => {
  for (const { name, run } of consensusSuite(() => engine(singleWriter, new MemoryDisk()))) {
    test(name, run);
  }
});
