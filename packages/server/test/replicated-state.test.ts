import { utf8 } from '@etcd-ts/base';
import { flushStore, memoryBackend, restoreSnapshot, snapshotStore } from '@etcd-ts/mvcc';
import { AlarmAction, AlarmType, EtcdError } from '@etcd-ts/protocol';
import type { ConfState } from '@etcd-ts/raft';
import { describe, expect, test } from 'vitest';
import type { Command } from '../src/apply/command.ts';
import { ReplicatedState } from '../src/apply/replicated-state.ts';
import { encodeMemberContext } from '../src/membership/member-context.ts';

const VOTERS: ConfState = {
  voters: [1n, 2n],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

function put(key: string, lease = 0n): Command {
  const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
  return { kind: 'put', request: { key: utf8(key), value: utf8('v'), lease, ...flags } };
}

const HISTORY: readonly Command[] = [
  { kind: 'leaseGrant', request: { ID: 7n, TTL: 60 } },
  { kind: 'leaseGrant', request: { ID: -8n, TTL: 600 } },
  put('a', 7n),
  put('b', -8n),
  put('c'),
  { kind: 'leaseGrant', request: { ID: 11n, TTL: 60 } },
  { kind: 'leaseRevoke', request: { ID: 11n } },
  {
    kind: 'leaseCheckpoint',
    checkpoints: [{ id: -8n, remainingTtlSeconds: 300 }],
    term: 1,
    asOfIndex: 9,
  },
  {
    kind: 'alarm',
    request: { action: AlarmAction.ACTIVATE, memberID: 5n, alarm: AlarmType.NOSPACE },
  },
  { kind: 'publishMember', id: 2n, name: 'two', clientUrls: ['http://two:2379'] },
  { kind: 'compact', request: { revision: 2, physical: false } },
];

async function withHistory(backend = memoryBackend()) {
  const state = await ReplicatedState.open(backend);
  const members = [1n, 2n].map((id) => ({
    id,
    name: id === 1n ? 'one' : '',
    peerUrls: [`http://${id}:2380`],
    clientUrls: [],
    isLearner: false,
  }));
  state.bootstrap(members, VOTERS);
  for (const command of HISTORY) {
    state.apply({ index: state.appliedIndex + 1, term: 1, command });
  }
  return state;
}

test('whoever hears of a compaction finds it applied, so that it may be written behind at once', async () => {
  const state = await ReplicatedState.open(memoryBackend());
  state.bootstrap([], VOTERS);
  const heard: unknown[] = [];
  state.observe({ compacted: () => heard.push(state.store.takeFlush()?.applied) });
  for (const command of [put('a'), put('b')]) {
    state.apply({ index: state.appliedIndex + 1, term: 1, command });
  }
  const compact: Command = { kind: 'compact', request: { revision: 2, physical: false } };
  state.apply({ index: 3, term: 1, command: compact });
  expect(heard).toEqual([{ index: 3, term: 1 }]);
});

function content(state: ReplicatedState) {
  const { lessor, membership, alarms, confState, appliedIndex, appliedTerm, store } = state;
  return {
    leases: [...lessor.leases()]
      .map(({ id, grantedTtlSeconds, checkpointedTtlSeconds, grantedIndex }) => ({
        id,
        grantedTtlSeconds,
        checkpointedTtlSeconds,
        grantedIndex,
        keys: lessor.keysOf(id),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    members: membership.members(),
    removed: membership.removedIds(),
    alarms: alarms.list(),
    confState,
    appliedIndex,
    appliedTerm,
    revision: store.revision,
    compactRevision: store.compactRevision,
  };
}

describe('ReplicatedState', () => {
  test('applies entries one after another, and nothing else', async () => {
    const state = await withHistory();
    expect(() => state.applyEmpty(state.appliedIndex, 1)).toThrow(/follows entry/);
    expect(() => state.applyEmpty(state.appliedIndex + 2, 1)).toThrow(/follows entry/);
    state.applyEmpty(state.appliedIndex + 1, 2);
    expect(state.appliedTerm).toBe(2);
  });

  test('a refused command changes nothing but the applied position', async () => {
    const state = await withHistory();
    const before = { ...content(state), appliedIndex: 0 };
    const index = state.appliedIndex + 1;
    const result = state.apply({ index, term: 1, command: put('z', 99n) });
    expect(EtcdError.is(result)).toBe(true);
    expect({ ...content(state), appliedIndex: 0 }).toEqual(before);
    expect(state.appliedIndex).toBe(index);
  });

  test('two members have the same hash after every entry of the same history', async () => {
    const [a, b] = [
      await ReplicatedState.open(memoryBackend()),
      await ReplicatedState.open(memoryBackend()),
    ];
    const seen = new Set<string>();
    for (const [i, command] of HISTORY.entries()) {
      for (const state of [a, b]) state.apply({ index: i + 1, term: 1, command });
      expect(a.stateHash()).toBe(b.stateHash());
      seen.add(a.stateHash());
    }
    expect(seen.size).toBe(HISTORY.length);
  });

  test.each([
    ['another key', put('x')],
    ['another lease', { kind: 'leaseGrant', request: { ID: 9n, TTL: 60 } }],
    [
      'another alarm',
      { kind: 'alarm', request: { action: AlarmAction.ACTIVATE, memberID: 6n, alarm: 2 } },
    ],
    ['another name', { kind: 'publishMember', id: 2n, name: 'deux', clientUrls: [] }],
  ] as [string, Command][])('%s shows in the hash', async (_, command) => {
    const [a, b] = [await withHistory(), await withHistory()];
    const lower: Command = {
      kind: 'alarm',
      request: { action: AlarmAction.DEACTIVATE, memberID: 5n, alarm: AlarmType.NOSPACE },
    };
    for (const state of [a, b])
      state.apply({ index: state.appliedIndex + 1, term: 1, command: lower });
    expect(a.stateHash()).toBe(b.stateHash());
    a.apply({ index: a.appliedIndex + 1, term: 1, command });
    b.applyEmpty(b.appliedIndex + 1, 1);
    expect(a.stateHash()).not.toBe(b.stateHash());
  });

  test('another configuration of as many members shows in the hash, another order does not', async () => {
    const open = async (...voters: bigint[]): Promise<ReplicatedState> => {
      const state = await ReplicatedState.open(memoryBackend());
      const none = { votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
      state.bootstrap([], { voters, ...none });
      return state;
    };
    const [a, b, c] = [await open(1n, 2n), await open(2n, 1n), await open(1n, 3n)];
    expect(a.stateHash()).toBe(b.stateHash());
    expect(a.stateHash()).not.toBe(c.stateHash());
  });

  test('everything comes back from the backend after a flush', async () => {
    const backend = memoryBackend();
    const state = await withHistory(backend);
    await flushStore(state.store);
    const again = await ReplicatedState.open(backend);
    expect(content(again)).toEqual(content(state));
    expect(again.stateHash()).toBe(state.stateHash());
  });

  test('a state that was never flushed comes back as of the last flush, whole', async () => {
    const backend = memoryBackend();
    const state = await withHistory(backend);
    await flushStore(state.store);
    const flushed = content(state);
    state.apply({
      index: state.appliedIndex + 1,
      term: 1,
      command: { kind: 'leaseRevoke', request: { ID: 7n } },
    });
    expect(content(await ReplicatedState.open(backend))).toEqual(flushed);
  });

  test('a snapshot replaces everything in place, and whoever listens hears of it once', async () => {
    const ahead = await withHistory();
    const backend = memoryBackend();
    await restoreSnapshot(backend, snapshotStore(ahead.store).chunks);
    const behind = await ReplicatedState.open(memoryBackend());
    behind.apply({
      index: 1,
      term: 1,
      command: { kind: 'leaseGrant', request: { ID: 1n, TTL: 5 } },
    });
    let replaced = 0;
    behind.observe({ replaced: () => replaced++ });
    await behind.replace(backend);
    expect(replaced).toBe(1);
    expect(content(behind)).toEqual(content(ahead));
    expect(behind.stateHash()).toBe(ahead.stateHash());
    const next = {
      index: ahead.appliedIndex + 1,
      term: 1,
      command: { kind: 'leaseRevoke', request: { ID: 7n } },
    } as const;
    for (const state of [ahead, behind]) state.apply(next);
    expect(behind.stateHash()).toBe(ahead.stateHash());
  });

  test('a snapshot from the past is a broken invariant', async () => {
    const state = await withHistory();
    await expect(state.replace(memoryBackend())).rejects.toThrow(/would undo/);
  });
});

describe('membership', () => {
  const change = (
    op: 'addVoter' | 'addLearner' | 'remove' | 'update',
    node: bigint,
    url?: string,
  ) => ({
    steps: [{ op, node }],
    transition: 'auto' as const,
    context:
      url === undefined
        ? new Uint8Array(0)
        : encodeMemberContext([{ id: node, name: '', peerUrls: [url] }]),
  });

  test('follows the changes of the log: added, promoted, updated, removed and remembered', async () => {
    const state = await withHistory();
    const apply = (...args: Parameters<typeof change>) =>
      state.applyConfig({
        index: state.appliedIndex + 1,
        term: 1,
        change: change(...args),
        confState: VOTERS,
      });
    apply('addLearner', 3n, 'http://three:2380');
    expect(state.membership.get(3n)).toMatchObject({
      isLearner: true,
      peerUrls: ['http://three:2380'],
    });
    apply('addVoter', 3n);
    expect(state.membership.get(3n)).toMatchObject({
      isLearner: false,
      peerUrls: ['http://three:2380'],
    });
    apply('update', 3n, 'http://drei:2380');
    expect(state.membership.get(3n)).toMatchObject({
      isLearner: false,
      peerUrls: ['http://drei:2380'],
    });
    apply('remove', 3n);
    expect(state.membership.get(3n)).toBeUndefined();
    expect(state.membership.removedIds()).toEqual([3n]);
  });

  test('keeps the name and client URLs that a member published over an update', async () => {
    const state = await withHistory();
    const update = change('update', 2n, 'http://zwei:2380');
    state.applyConfig({
      index: state.appliedIndex + 1,
      term: 1,
      change: update,
      confState: VOTERS,
    });
    expect(state.membership.get(2n)).toMatchObject({
      name: 'two',
      clientUrls: ['http://two:2379'],
      peerUrls: ['http://zwei:2380'],
    });
  });

  test('a member that was removed meanwhile publishes in vain', async () => {
    const state = await withHistory();
    state.applyConfig({
      index: state.appliedIndex + 1,
      term: 1,
      change: change('remove', 2n),
      confState: VOTERS,
    });
    const publish: Command = { kind: 'publishMember', id: 2n, name: 'ghost', clientUrls: [] };
    state.apply({ index: state.appliedIndex + 1, term: 1, command: publish });
    expect(state.membership.get(2n)).toBeUndefined();
  });
});
