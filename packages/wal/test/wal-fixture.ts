import { clusterId, memberId, utf8 } from '@etcd-ts/base';
import type { ConfState, Entry, HardState, SnapshotMeta } from '@etcd-ts/raft';
import { type Disk, openWal, type OpenedWal, type WalGroup, type WalOptions } from '@etcd-ts/wal';

export const METADATA = { clusterId: clusterId(0xc1n), memberId: memberId(0xa1n) };
export const DIRECTORY = 'wal';

export const CONF_STATE: ConfState = {
  voters: [1n, 2n, (1n << 64n) - 1n],
  votersOutgoing: [1n],
  learners: [4n],
  learnersNext: [],
  autoLeave: true,
};

export function command(index: number, term: number, text = `entry ${index}`): Entry {
  return { index, term, payload: { kind: 'command', data: utf8(text) } };
}

export function mark(index: number, term: number): SnapshotMeta {
  return { index, term, confState: CONF_STATE };
}

export function hardState(term: number, commit: number, vote = 2n): HardState {
  return { term, vote, commit };
}

/** Groups with every kind of record, and a log that is rewritten once. */
export const EVERY_KIND: readonly WalGroup[] = [
  { entries: [{ index: 1, term: 1, payload: { kind: 'empty' } }], hardState: hardState(1, 0) },
  { entries: [command(2, 1), command(3, 1, '')], hardState: hardState(1, 1) },
  {
    entries: [
      {
        index: 4,
        term: 1,
        payload: {
          kind: 'config',
          change: {
            steps: [{ op: 'addLearner', node: (1n << 63n) + 5n }],
            transition: 'auto',
            context: utf8('urls'),
          },
        },
      },
    ],
  },
  { entries: [command(3, 2, 'other'), command(4, 2)], hardState: hardState(2, 2, 0n) },
  { snapshot: mark(2, 1), entries: [], hardState: hardState(2, 3, 0n) },
  { entries: [command(5, 2, 'x'.repeat(1_500))] },
];

export function open(disk: Disk, options: Partial<WalOptions> = {}): Promise<OpenedWal> {
  return openWal({ disk, directory: DIRECTORY, metadata: METADATA, ...options });
}

/** A log as Raft would see it after these groups: the specification that recovery is compared with. */
export function expectedLog(groups: readonly WalGroup[]): {
  hardState: HardState;
  snapshotIndex: number;
  entries: readonly Entry[];
} {
  let entries: Entry[] = [];
  let snapshot: SnapshotMeta | undefined;
  let state = hardState(0, 0, 0n);
  for (const group of groups) {
    const { snapshot: next } = group;
    if (next !== undefined && next.index > (snapshot?.index ?? 0)) {
      const holds = entries.some((entry) => entry.index === next.index && entry.term === next.term);
      entries = holds ? entries.filter((entry) => entry.index > next.index) : [];
      snapshot = next;
    }
    for (const entry of group.entries) {
      entries = [...entries.filter((each) => each.index < entry.index), entry];
    }
    if (group.hardState !== undefined) state = group.hardState;
  }
  const snapshotIndex = snapshot?.index ?? 0;
  const commit = Math.max(state.commit, snapshotIndex);
  return { hardState: { ...state, commit }, snapshotIndex, entries };
}

/** What a log recovers to, in the form of {@link expectedLog}. */
export function recoveredOf({
  recovered,
}: Pick<OpenedWal, 'recovered'>): ReturnType<typeof expectedLog> | undefined {
  if (recovered === undefined) return undefined;
  return {
    hardState: recovered.hardState,
    snapshotIndex: recovered.snapshot?.index ?? 0,
    entries: recovered.entries,
  };
}
