/**
 * What may grow in a member stays within its bounds (LV3), and is gone when all is at rest.
 *
 * Looked at when something is applied, so that looking adds nothing to what happens.
 */
import type { EtcdNode } from '@etcd-ts/server';
import type { Plan } from '../plan/plan.ts';
import type { SimCluster } from './sim-cluster.ts';

/** What one member holds that may grow. */
export interface Load {
  /** Proposals that wait for their outcome. */
  readonly proposals: number;
  /** Entries that are committed and not yet applied. */
  readonly unapplied: number;
  /** Bytes that are not yet in the database. */
  readonly dirtyBytes: number;
  /** Events that found no room at their client. */
  readonly watchEvents: number;
  /** Entries in the log behind the last snapshot mark. */
  readonly logEntries: number;
}

/** What each may come to. */
export type Bounds = Load;

/** Between two looks at one member. */
const LOOK_GAP_US = 200_000;
/** Events of all watches of a run's clients, whoever of them does not read. */
const MAX_WATCH_EVENTS = 100_000;
/** Entries that come while the state is being made durable for the next mark. */
const MARK_SLACK_ENTRIES = 500;
/** A batch that exceeds the bound by what is applied between the question and it. */
const DIRTY_SLACK_BYTES = 1024 * 1024;

/** What is more than it may be, in words. */
export function excessOf(load: Load, bounds: Bounds): readonly string[] {
  return (Object.keys(WORDS) as (keyof Load)[])
    .filter((what) => load[what] > bounds[what])
    .map((what) => `${load[what]} ${WORDS[what]}, at most ${bounds[what]}`);
}

const WORDS: Readonly<Record<keyof Load, string>> = {
  proposals: 'proposals wait',
  unapplied: 'committed entries are not applied',
  dirtyBytes: 'bytes are not in the database',
  watchEvents: 'events wait for their clients',
  logEntries: 'entries of the log are behind the last snapshot mark',
};

/** Looks at every member now and then. */
export function watchBounds(cluster: SimCluster): void {
  const { ghost, world } = cluster;
  const lookedUs = new Map<number, number>();
  ghost.listeners.push({
    applied: (number) => {
      const { node } = cluster.member(number);
      if (node === undefined || world.nowUs < (lookedUs.get(number) ?? 0) + LOOK_GAP_US) return;
      lookedUs.set(number, world.nowUs);
      const { limits, state } = node.port;
      complain(
        cluster,
        number,
        { ...loadOf(node), logEntries: 0 },
        {
          proposals: limits.maxPendingProposals,
          unapplied: limits.maxCommitApplyGap,
          dirtyBytes: state.store.writeBehind.dirtyBytesMax + DIRTY_SLACK_BYTES,
          watchEvents: MAX_WATCH_EVENTS,
          logEntries: 0,
        },
      );
    },
  });
}

/** All is well and nobody asks for anything: nothing waits, and no log goes on growing. */
export async function checkAtRest(cluster: SimCluster, { knobs }: Plan): Promise<void> {
  for (const member of cluster.present) {
    const { node } = member;
    if (node === undefined) continue;
    const log = await member.readLog('visible');
    const mark = log?.snapshot?.index ?? 0;
    const logEntries = (log?.entries.at(-1)?.index ?? mark) - mark;
    complain(
      cluster,
      member.number,
      { ...loadOf(node), logEntries },
      {
        proposals: 0,
        unapplied: 0,
        dirtyBytes: node.port.state.store.writeBehind.dirtyBytesMax,
        watchEvents: 0,
        logEntries: 2 * knobs.snapshotCount + MARK_SLACK_ENTRIES,
      },
    );
  }
}

function loadOf(node: EtcdNode): Omit<Load, 'logEntries'> {
  const { metrics, state } = node.port;
  const { committedIndex, appliedIndex } = node.status();
  return {
    proposals: metrics.pendingProposals(),
    unapplied: Math.max(0, committedIndex - appliedIndex),
    dirtyBytes: state.store.writeBehind.dirtyBytes,
    watchEvents: metrics.pendingWatchEvents,
  };
}

function complain({ ghost, world }: SimCluster, number: number, load: Load, bounds: Bounds): void {
  for (const excess of excessOf(load, bounds)) {
    ghost.findings.add('LV3', `at member ${number} ${excess}`, [], world.nowUs);
  }
}
