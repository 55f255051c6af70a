/**
 * Which changes of the membership are let into the log (etcd server/etcdserver/api/membership/cluster.go,
 * ValidateConfigurationChange and IsReadyTo…, server.go, may…Member).
 *
 * Judged by the leader, with the membership as of everything it has applied; Raft then takes one change at a time, and from
 * that leader in that term alone. So what was let in is still right when it is applied.
 *
 * What always holds, unless the strict check is switched off: no change that is let in leaves fewer started voters than a quorum of the new membership, and none
 * that touches voters is let in while the leader does not reach a quorum of them.
 */
import { EtcdError } from '@etcd-ts/protocol';
import type { Member } from './member.ts';
import type { Membership } from './membership.ts';

/** A learner may be promoted when it has this part of what the leader has. */
const PROMOTION_READY_RATIO = 0.9;

/** What the leader knows of the others at this moment. */
export interface Reachability {
  readonly self: bigint;
  /** Connected without break for the health interval. This member always is. */
  readonly isHealthy: (id: bigint) => boolean;
  /** Connected now. */
  readonly isConnected: (id: bigint) => boolean;
}

/** What the rules go by. */
export interface Rules {
  readonly reach: Reachability;
  readonly maxLearners: number;
  /** Without it a change may cost the quorum. etcd --strict-reconfig-check. */
  readonly strictReconfigCheck: boolean;
}

/** Why a member may not be added, or undefined. */
export function refusedToAdd(
  membership: Membership,
  member: Member,
  { reach, maxLearners, strictReconfigCheck }: Rules,
): EtcdError | undefined {
  if (strictReconfigCheck && !member.isLearner) {
    const voters = membership.voters();
    if (!isReadyToAddVoter(voters)) return new EtcdError('MEMBER_NOT_ENOUGH_STARTED');
    if (!voters.every(({ id }) => reach.isHealthy(id))) return new EtcdError('UNHEALTHY');
  }
  if (membership.wasRemoved(member.id)) return new EtcdError('MEMBER_NOT_FOUND');
  if (membership.get(member.id) !== undefined) return new EtcdError('MEMBER_EXIST');
  if (isTaken(membership, member)) return new EtcdError('PEER_URL_EXIST');
  const learners = membership.members().filter(({ isLearner }) => isLearner).length;
  if (member.isLearner && learners >= maxLearners) {
    return new EtcdError('TOO_MANY_LEARNERS', {
      detail: `${learners} learners, limit ${maxLearners}`,
    });
  }
  return undefined;
}

/** Why a member may not be removed, or undefined. */
export function refusedToRemove(
  membership: Membership,
  id: bigint,
  { reach, strictReconfigCheck }: Pick<Rules, 'reach' | 'strictReconfigCheck'>,
): EtcdError | undefined {
  if (strictReconfigCheck && membership.get(id)?.isLearner !== true) {
    const voters = membership.voters();
    const left = voters.filter((voter) => voter.id !== id);
    if (started(left) < quorum(left.length)) return new EtcdError('MEMBER_NOT_ENOUGH_STARTED');
    // A member that is down takes nothing from the active quorum.
    const isActive = id === reach.self || reach.isConnected(id);
    const healthy = voters.filter((voter) => reach.isHealthy(voter.id)).length;
    if (isActive && healthy - 1 < 1 + Math.floor((voters.length - 1) / 2)) {
      return new EtcdError('UNHEALTHY');
    }
  }
  return membership.get(id) === undefined ? new EtcdError('MEMBER_NOT_FOUND') : undefined;
}

/** Why a member's peer URLs may not be replaced, or undefined. */
export function refusedToUpdate(
  membership: Membership,
  { id, peerUrls }: Pick<Member, 'id' | 'peerUrls'>,
): EtcdError | undefined {
  if (membership.get(id) === undefined) return new EtcdError('MEMBER_NOT_FOUND');
  return isTaken(membership, { id, peerUrls }) ? new EtcdError('PEER_URL_EXIST') : undefined;
}

/** Why a learner may not be promoted, or undefined. `matchIndex` is how far the leader knows each of them to be. */
export function refusedToPromote(
  membership: Membership,
  id: bigint,
  {
    matchIndex,
    lastIndex,
    strictReconfigCheck,
  }: { matchIndex: number | undefined; lastIndex: number } & Pick<Rules, 'strictReconfigCheck'>,
): EtcdError | undefined {
  const member = membership.get(id);
  if (member === undefined) return new EtcdError('MEMBER_NOT_FOUND');
  if (!member.isLearner) return new EtcdError('MEMBER_NOT_LEARNER');
  if (matchIndex === undefined || matchIndex < lastIndex * PROMOTION_READY_RATIO) {
    return new EtcdError('LEARNER_NOT_READY', {
      detail: `learner at entry ${matchIndex ?? 0}, leader at ${lastIndex}`,
    });
  }
  const voters = membership.voters();
  if (!strictReconfigCheck) return undefined;
  // The learner counts as started: it holds the leader's entries.
  return started(voters) + 1 < quorum(voters.length + 1)
    ? new EtcdError('MEMBER_NOT_ENOUGH_STARTED')
    : undefined;
}

/** A lone member may always get a second one, even though nothing commits until that one has joined. */
function isReadyToAddVoter(voters: readonly Member[]): boolean {
  if (voters.length === 1 && started(voters) === 1) return true;
  return started(voters) >= quorum(voters.length + 1);
}

/** A member has started when it has told its name. */
function started(members: readonly Member[]): number {
  return members.filter(({ name }) => name !== '').length;
}

function quorum(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** Whether another member has one of these peer URLs. */
function isTaken(
  membership: Membership,
  { id, peerUrls }: Pick<Member, 'id' | 'peerUrls'>,
): boolean {
  const taken = new Set(
    membership.members().flatMap((member) => (member.id === id ? [] : member.peerUrls)),
  );
  return peerUrls.some((url) => taken.has(url));
}
