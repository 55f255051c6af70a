/** Turning what the steps of a call have done into effects, in the order in which a driver is to do them. */
import type { Effect, PersistEffect } from './effect.ts';
import type { HardState } from './entry.ts';
import { flushForwards } from './forward.ts';
import type { Message } from './message.ts';
import { flushReads } from './read-index.ts';
import { flushAppends } from './replication.ts';
import type { RaftState } from './state.ts';

/** No effects: shared, so that an idle tick allocates nothing. */
export const NO_EFFECTS: readonly Effect[] = Object.freeze([]);

const NO_MESSAGES: readonly Message[] = Object.freeze([]);

/** Takes out everything that is to be done now. Nothing is kept back. */
export function drain(raft: RaftState): readonly Effect[] {
  flushAppends(raft);
  flushForwards(raft);
  flushReads(raft);
  const { out } = raft;
  const role = roleEffect(raft);
  const persist = persistEffect(raft);
  const page = nextPage(raft);
  if (role === undefined && persist === undefined && page === undefined && out.isEmpty) {
    return NO_EFFECTS;
  }
  const effects: Effect[] = [];
  if (role !== undefined) effects.push(role);
  for (const notice of out.notices) effects.push(notice);
  for (const config of out.configs) effects.push(config);
  if (out.immediate.length > 0) effects.push({ type: 'send', messages: out.immediate });
  for (const snapshot of out.snapshots) effects.push(snapshot);
  if (persist !== undefined) effects.push(persist);
  if (page !== undefined) effects.push(page);
  for (const outcome of out.outcomes) effects.push(outcome);
  out.clear();
  return effects;
}

function roleEffect(raft: RaftState): Effect | undefined {
  const { term, role, leader, handedRole } = raft;
  if (term === handedRole.term && role === handedRole.role && leader === handedRole.leader) {
    return undefined;
  }
  raft.handedRole = { term, role, leader };
  return { type: 'role', term, role, leader };
}

/**
 * Gathers what is to be written into one group.
 *
 * A message that claims durability leaves at once when everything is durable already. It waits for a group of
 * its own, with nothing in it, when only earlier groups are still on their way: groups become durable in order.
 */
function persistEffect(raft: RaftState): PersistEffect | undefined {
  const { log, out, persists, handedHard, term, vote } = raft;
  const { commit } = log;
  const isVoteNew = term !== handedHard.term || vote !== handedHard.vote;
  const isHardNew = isVoteNew || commit !== handedHard.commit;
  const isSnapshotNew = raft.installing !== undefined && !raft.isInstallingHanded;
  const hasEntries = log.handed < log.lastIndex;
  const change = commit === handedHard.commit ? undefined : log.firstConfigAfter(handedHard.commit);
  const isChangeCommitted = change !== undefined && change <= commit;
  const mustSync = isVoteNew || isSnapshotNew || hasEntries || isChangeCommitted;
  if (!mustSync && persists.isEmpty && out.dependent.length > 0) {
    out.immediate.push(...out.dependent);
    out.dependent = [];
  }
  if (!mustSync && !isHardNew && !out.ownVote && out.dependent.length === 0) return undefined;
  const entries = hasEntries ? log.slice(log.handed + 1, log.lastIndex) : [];
  log.handed = log.lastIndex;
  const hardState: HardState = isHardNew ? { term, vote, commit } : handedHard;
  raft.handedHard = hardState;
  const snapshot = isSnapshotNew ? raft.installing : undefined;
  if (isSnapshotNew) raft.isInstallingHanded = true;
  const group = persists.push({
    lastIndex: log.lastIndex,
    snapshotIndex: snapshot?.index ?? 0,
    ownVote: out.ownVote,
  });
  if (isChangeCommitted) raft.gate = { group, index: raft.gate?.index ?? change };
  return {
    type: 'persist',
    group,
    hardState: isHardNew ? hardState : undefined,
    entries,
    snapshot,
    mustSync: mustSync || out.dependent.length > 0,
    // An empty list stays the outbox's: what it is given later is not of this effect.
    messages: out.dependent.length === 0 ? NO_MESSAGES : out.dependent,
  };
}

/**
 * Committed entries that are durable here: one page, when the last one is applied. A change of members waits until this
 * node would know after a crash that it is committed: of two members of whom one was removed, the other could not find out
 * again alone.
 */
function nextPage(raft: RaftState): Effect | undefined {
  const { log, config, gate } = raft;
  if (raft.installing !== undefined || log.applied < log.applying) return undefined;
  const to = Math.min(log.commit, log.durable, gate === undefined ? Infinity : gate.index - 1);
  if (to <= log.applying) return undefined;
  const entries = log.page(log.applying + 1, to, config.maxApplyBytes);
  log.applying += entries.length;
  return { type: 'apply', entries };
}
