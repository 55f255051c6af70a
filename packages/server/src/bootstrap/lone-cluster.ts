/**
 * How a member whose cluster has lost its quorum goes on alone (etcd --force-new-cluster): everybody else is removed by
 * entries of the log itself, so that state, membership and log tell the same story afterwards.
 *
 * What always holds
 * - What was committed stays; what was not is let go of, since nobody is left to say whether it ever will be. What a
 *   lone voter has in its log was committed, marked so or not; but no change of members is carried out any more.
 * - Ids of cluster and member stay, and the removed members are remembered as removed.
 */
import { assert, type MemberId } from '@etcd-ts/base';
import { changeConf, type ConfigChange, type ConfState, type Entry } from '@etcd-ts/raft';
import type { RecoveredLog, Wal } from '@etcd-ts/wal';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import type { Logger } from '../logger.ts';

/** A member that is to go on alone, as it was recovered. */
export interface Survivor {
  readonly memberId: MemberId;
  readonly wal: Wal;
  readonly recovered: RecoveredLog;
  readonly state: ReplicatedState;
  readonly log: Logger;
}

/** Writes the entries that leave this member alone, committed. Returns the log as it is then. */
export async function goOnAlone(survivor: Survivor): Promise<RecoveredLog> {
  const { log, memberId, recovered, state, wal } = survivor;
  const { hardState } = recovered;
  const marked = Math.max(hardState.commit, state.appliedIndex);
  const conf = confStateAt(
    state,
    recovered.entries.filter(({ index }) => index <= marked),
  );
  const commit = isLoneVoter(conf, memberId) ? beforeChange(recovered, marked) : marked;
  const kept = recovered.entries.filter(({ index }) => index <= commit);
  const changes = changesToAlone(conf, memberId);
  const dropped = recovered.entries.length - kept.length;
  if (dropped > 0) log.info('discarding uncommitted WAL entries', { 'number-of-entries': dropped });
  if (changes.length === 0 && dropped === 0) return recovered;
  const term = Math.max(hardState.term, state.appliedTerm, kept.at(-1)?.term ?? 0);
  const payloads: Entry['payload'][] = changes.map((change) => ({ kind: 'config', change }));
  // Something has to take the place of what is let go of, or it would be there again at the next start.
  if (payloads.length === 0) payloads.push({ kind: 'empty' });
  const entries = payloads.map((payload, at): Entry => ({ index: commit + 1 + at, term, payload }));
  const removed = changes.flatMap(({ steps }) => steps.filter(({ op }) => op === 'remove'));
  log.warn('forcing a new cluster of this member alone', {
    'local-member-id': memberId,
    'removed-member-ids': removed.map(({ node }) => node),
  });
  const alone = { ...hardState, term, commit: commit + entries.length };
  await wal.append({ entries, hardState: alone }, { sync: true });
  return { ...recovered, hardState: alone, entries: [...kept, ...entries] };
}

/** Whether nobody else was needed to commit anything. */
function isLoneVoter({ voters, votersOutgoing }: ConfState, self: MemberId): boolean {
  return voters.length === 1 && voters[0] === self && votersOutgoing.length === 0;
}

/** The last entry before a change of members, behind an index, that was not carried out; the last one when there is none. */
function beforeChange({ entries }: RecoveredLog, behind: number): number {
  const later = entries.filter(({ index }) => index > behind);
  const change = later.find(({ payload }) => payload.kind === 'config');
  return change === undefined ? (later.at(-1)?.index ?? behind) : change.index - 1;
}

/** The configuration once these entries are applied, too. */
function confStateAt(state: ReplicatedState, entries: readonly Entry[]): ConfState {
  let conf = state.confState;
  for (const { index, payload } of entries) {
    if (index <= state.appliedIndex || payload.kind !== 'config') continue;
    const next = changeConf(conf, payload.change);
    if (next.ok) conf = next.conf;
  }
  return conf;
}

/** One change after the other, each a legal one. */
function changesToAlone(conf: ConfState, self: MemberId): readonly ConfigChange[] {
  const changes: ConfigChange[] = [];
  const add = (...steps: ConfigChange['steps']): void => {
    const transition = steps.length === 0 ? 'explicit' : 'auto';
    changes.push({ steps, transition, context: new Uint8Array(0) });
  };
  if (conf.votersOutgoing.length > 0) add();
  if (!conf.voters.includes(self)) add({ op: 'addVoter', node: self });
  const known = [...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext];
  for (const node of new Set(known)) if (node !== self) add({ op: 'remove', node });
  const result = changes.reduce<ConfState>((before, change) => {
    const next = changeConf(before, change);
    return next.ok ? next.conf : before;
  }, conf);
  assert(
    result.voters.length === 1 && result.voters[0] === self && result.learners.length === 0,
    () => `the changes leave ${result.voters.join(',')} and ${result.learners.join(',')}`,
  );
  return changes;
}
