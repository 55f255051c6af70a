/** How soon a member that finds no leader campaigns after its start. */
import { clusterId, memberId } from '@etcd-ts/base';
import { MemoryDisk, openWal } from '@etcd-ts/wal';
import { expect, test } from 'vitest';
import { createEngine } from '../src/consensus/engine.ts';
import type { ConsensusHost } from '../src/consensus/consensus.ts';
import { silentLogger } from '../src/logger.ts';
import { resolveOptions } from '../src/options.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';

const TICK_MS = 100;
const ELECTION_TICKS = 10;

const HOST = new Proxy({}, { get: () => () => undefined }) as ConsensusHost;

/** How one of three voters, who hears of no other, campaigns: after how many ticks, in which term. */
async function campaign(
  initialElectionTickAdvance: boolean,
  seed: number,
  preVote = false,
): Promise<{ ticks: number; term: number; role: string }> {
  const clock = new ManualClock();
  const ids = [1n, 2n, 3n];
  const confState = {
    voters: ids,
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const metadata = { clusterId: clusterId(9n), memberId: memberId(1n) };
  const { wal } = await openWal({ disk: new MemoryDisk(), directory: 'wal', metadata });
  const initial = {
    hardState: { term: 1, vote: 0n, commit: 1 },
    snapshotIndex: 1,
    snapshotTerm: 1,
    confState,
    entries: [],
    applied: 1,
  };
  const options = resolveOptions({
    heartbeatIntervalMs: TICK_MS,
    electionTimeoutMs: TICK_MS * ELECTION_TICKS,
    initialElectionTickAdvance,
    preVote,
  });
  const parts = {
    options,
    env: { clock, log: silentLogger, random: { uint32: () => seed } },
    storage: { memberId: memberId(1n), initial, wal },
    transport: new InMemoryNetwork(clock).transport(),
  };
  const { consensus } = createEngine(parts as unknown as Parameters<typeof createEngine>[0]);
  consensus.start(HOST);
  let ticks = 0;
  for (; consensus.status().role === 'follower' && ticks < 100; ticks++) {
    await clock.pass(TICK_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { role, term } = consensus.status();
  consensus.kill();
  return { ticks, term, role };
}

test('without the advance it waits a whole election timeout, with it at most as long as another one', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    expect((await campaign(false, seed)).ticks).toBeGreaterThanOrEqual(ELECTION_TICKS);
    expect((await campaign(true, seed)).ticks).toBeLessThanOrEqual(ELECTION_TICKS + 1);
  }
});

test('a pre-vote leaves the term as it is, a vote raises it', async () => {
  expect(await campaign(true, 1, true)).toMatchObject({ term: 1, role: 'preCandidate' });
  expect(await campaign(true, 1, false)).toMatchObject({ term: 2, role: 'candidate' });
});
