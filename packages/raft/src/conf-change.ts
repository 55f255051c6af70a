/**
 * The algebra of configurations: what a change makes of one (thesis §4.1, §4.3).
 *
 * Pure functions from one ConfState to the next, or to a reason why not. Changes are idempotent: adding
 * who is there and removing who is not change nothing.
 *
 * Invariants of every configuration made here: lists ascend and hold no id twice; a learner is no voter of
 * either half; a learner-next is a voter of the outgoing half and of nothing else; without an outgoing half
 * there is neither a learner-next nor auto-leave.
 */
import type { ConfigChange, ConfigStep, ConfState, NodeId } from './entry.ts';
import { NO_NODE } from './entry.ts';

/** A new configuration, or why there is none (etcd's words, raft/confchange/confchange.go). */
export type ConfChangeResult =
  | { readonly ok: true; readonly conf: ConfState }
  | { readonly ok: false; readonly reason: string };

/** A configuration without anybody. */
export const EMPTY_CONF: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

interface Draft {
  voters: Set<NodeId>;
  outgoing: Set<NodeId>;
  learners: Set<NodeId>;
  learnersNext: Set<NodeId>;
}

const draftOf = (conf: ConfState): Draft => ({
  voters: new Set(conf.voters),
  outgoing: new Set(conf.votersOutgoing),
  learners: new Set(conf.learners),
  learnersNext: new Set(conf.learnersNext),
});

const ascending = (ids: Set<NodeId>): readonly NodeId[] =>
  [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

const confOf = (draft: Draft, autoLeave: boolean): ConfState => ({
  voters: ascending(draft.voters),
  votersOutgoing: ascending(draft.outgoing),
  learners: ascending(draft.learners),
  learnersNext: ascending(draft.learnersNext),
  autoLeave,
});

const refuse = (reason: string): ConfChangeResult => ({ ok: false, reason });

/** True while two configurations decide together. */
export function isJoint(conf: ConfState): boolean {
  return conf.votersOutgoing.length > 0;
}

/** True when the node is a voter of either half. */
export function isVoter(conf: ConfState, id: NodeId): boolean {
  return conf.voters.includes(id) || conf.votersOutgoing.includes(id);
}

/** Every node of a configuration, ascending. */
export function membersOf(conf: ConfState): readonly NodeId[] {
  return ascending(
    new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext]),
  );
}

/** Every voter of either half, ascending. */
export function votersOf(conf: ConfState): readonly NodeId[] {
  if (!isJoint(conf)) return conf.voters;
  return ascending(new Set([...conf.voters, ...conf.votersOutgoing]));
}

/** True when this change leaves the joint configuration. */
export function isLeave(change: ConfigChange): boolean {
  return change.steps.length === 0;
}

/** True when this change goes through a joint configuration. */
export function entersJoint(change: ConfigChange): boolean {
  return !isLeave(change) && (change.transition !== 'auto' || change.steps.length > 1);
}

function addVoter(draft: Draft, id: NodeId): void {
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  draft.voters.add(id);
}

/** A voter of the outgoing half cannot be a learner at the same time: it becomes one on leaving. */
function addLearner(draft: Draft, id: NodeId): void {
  if (draft.learners.has(id)) return;
  draft.voters.delete(id);
  draft.learnersNext.delete(id);
  if (draft.outgoing.has(id)) draft.learnersNext.add(id);
  else draft.learners.add(id);
}

function remove(draft: Draft, id: NodeId): void {
  draft.voters.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
}

function applySteps(draft: Draft, steps: readonly ConfigStep[]): string | undefined {
  for (const { op, node } of steps) {
    if (node === NO_NODE) continue;
    switch (op) {
      case 'addVoter':
        addVoter(draft, node);
        break;
      case 'addLearner':
        addLearner(draft, node);
        break;
      case 'remove':
        remove(draft, node);
        break;
      case 'update':
        break;
    }
  }
  return draft.voters.size === 0 ? 'removed all voters' : undefined;
}

/** Makes a change at once; at most one voter may come or go (thesis §4.1). */
export function simpleChange(conf: ConfState, steps: readonly ConfigStep[]): ConfChangeResult {
  if (isJoint(conf)) return refuse("can't apply simple config change in joint config");
  const draft = draftOf(conf);
  const reason = applySteps(draft, steps);
  if (reason !== undefined) return refuse(reason);
  const before = new Set(conf.voters);
  let changed = 0;
  for (const id of before) if (!draft.voters.has(id)) changed++;
  for (const id of draft.voters) if (!before.has(id)) changed++;
  if (changed > 1) return refuse('more than one voter changed without entering joint config');
  return { ok: true, conf: confOf(draft, conf.autoLeave) };
}

/** Enters a joint configuration: the voters so far are the outgoing half (thesis §4.3). */
export function enterJoint(
  conf: ConfState,
  steps: readonly ConfigStep[],
  autoLeave: boolean,
): ConfChangeResult {
  if (isJoint(conf)) return refuse('config is already joint');
  if (conf.voters.length === 0) return refuse("can't make a zero-voter config joint");
  const draft = draftOf(conf);
  draft.outgoing = new Set(conf.voters);
  const reason = applySteps(draft, steps);
  if (reason !== undefined) return refuse(reason);
  return { ok: true, conf: confOf(draft, autoLeave) };
}

/** Leaves a joint configuration: the outgoing half is gone, the demoted are learners. */
export function leaveJoint(conf: ConfState): ConfChangeResult {
  if (!isJoint(conf)) return refuse("can't leave a non-joint config");
  const draft = draftOf(conf);
  for (const id of draft.learnersNext) draft.learners.add(id);
  draft.learnersNext.clear();
  draft.outgoing.clear();
  return { ok: true, conf: confOf(draft, false) };
}

/** What a change makes of a configuration. */
export function changeConf(conf: ConfState, change: ConfigChange): ConfChangeResult {
  if (isLeave(change)) return leaveJoint(conf);
  if (entersJoint(change)) {
    return enterJoint(conf, change.steps, change.transition !== 'explicit');
  }
  return simpleChange(conf, change.steps);
}

/** True when both configurations are the same. */
export function sameConf(a: ConfState, b: ConfState): boolean {
  const same = (one: readonly NodeId[], other: readonly NodeId[]): boolean =>
    one.length === other.length && one.every((id, i) => id === other[i]);
  return (
    same(a.voters, b.voters) &&
    same(a.votersOutgoing, b.votersOutgoing) &&
    same(a.learners, b.learners) &&
    same(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave
  );
}
