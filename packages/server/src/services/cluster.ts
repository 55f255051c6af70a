/**
 * The Cluster service (etcd server/etcdserver/api/v3rpc/member.go, server.go). Its headers carry no revision.
 *
 * Changes are made by the leader, whichever member is asked: only it knows what is applied, who is reachable and how
 * far a learner has got.
 */
import { memberId } from '@etcd-ts/base';
import {
  EtcdError,
  type Handlers,
  type MemberAddRequest,
  type MemberAddResponse,
  type Member as WireMember,
} from '@etcd-ts/protocol';
import type { ConfigStep } from '@etcd-ts/raft';
import { computeMemberId } from '../bootstrap/member-id.ts';
import { urlProblem } from '../bootstrap/urls.ts';
import {
  type Reachability,
  refusedToAdd,
  refusedToPromote,
  refusedToRemove,
  refusedToUpdate,
  type Rules,
} from '../membership/admission.ts';
import { encodeMemberContext } from '../membership/member-context.ts';
import type { Member, MemberContext } from '../membership/member.ts';
import type { NodePort } from '../node-port.ts';
import { headerAt } from './header.ts';
import type { LeaderMethods } from './leader-methods.ts';
import { pause } from '../turns.ts';

/** A peer counts as healthy after this long without a break (etcd HealthInterval). */
const HEALTH_INTERVAL_MS = 5_000;
/** Another change is under way: look again after this long. */
const CHANGE_PENDING_RETRY_MS = 50;

/** The handlers of etcdserverpb.Cluster. */
export function clusterHandlers(node: NodePort, leader: LeaderMethods): Handlers {
  const members = (): WireMember[] => node.state.membership.members().map(wireMember);
  const add = leader.register('etcdserverpb.Cluster/MemberAdd', (request) =>
    addMember(node, request),
  );
  const remove = leader.register('etcdserverpb.Cluster/MemberRemove', async ({ ID }) => {
    await change(node, { op: 'remove', node: ID }, () => {
      return refusedToRemove(node.state.membership, ID, rulesOf(node));
    });
    return { header: undefined, members: members() };
  });
  const update = leader.register('etcdserverpb.Cluster/MemberUpdate', async ({ ID, peerURLs }) => {
    const context = { id: ID, name: '', peerUrls: checkedUrls(peerURLs) };
    const refusal = () => refusedToUpdate(node.state.membership, context);
    await change(node, { op: 'update', node: ID }, refusal, context);
    return { header: undefined, members: members() };
  });
  const promote = leader.register('etcdserverpb.Cluster/MemberPromote', async ({ ID }) => {
    await counted(node, () => promoteMember(node, ID));
    return { header: undefined, members: members() };
  });
  const header = () => headerAt(node, 0);
  return {
    'etcdserverpb.Cluster/MemberList': async (request) => {
      if (request.linearizable) await node.readBarrier();
      return { header: header(), members: members() };
    },
    'etcdserverpb.Cluster/MemberAdd': async (request, context) => {
      // Refused before a leader is looked for, as etcd does.
      checkedUrls(request.peerURLs);
      return { ...(await add(request, context.signal)), header: header() };
    },
    'etcdserverpb.Cluster/MemberRemove': async (request, context) => {
      const wasMember = node.state.membership.get(request.ID) !== undefined;
      try {
        return { ...(await remove(request, context.signal)), header: header() };
      } catch (error) {
        // A leader that removes itself answers over a connection that ends with its membership.
        const isLost = EtcdError.is(error) && error.code === 'TIMEOUT_DUE_TO_CONNECTION_LOST';
        if (!isLost || !wasMember || !node.state.membership.wasRemoved(request.ID)) throw error;
        return { members: members(), header: header() };
      }
    },
    'etcdserverpb.Cluster/MemberUpdate': async (request, context) => ({
      ...(await update(request, context.signal)),
      header: header(),
    }),
    'etcdserverpb.Cluster/MemberPromote': async (request, context) => ({
      ...(await promote(request, context.signal)),
      header: header(),
    }),
  };
}

/** A member as etcd's message. */
export function wireMember(member: Member): WireMember {
  return {
    ID: member.id,
    name: member.name,
    peerURLs: [...member.peerUrls],
    clientURLs: [...member.clientUrls],
    isLearner: member.isLearner,
  };
}

async function addMember(
  node: NodePort,
  { peerURLs, isLearner }: MemberAddRequest,
): Promise<MemberAddResponse> {
  const peerUrls = checkedUrls(peerURLs);
  // etcd leaves the token out and takes the time instead, so that a removed member's URLs get a new id.
  const id = computeMemberId(peerUrls, '', Math.floor(node.clock.wallMs() / 1000));
  const member: Member = { id, name: '', peerUrls, clientUrls: [], isLearner };
  const step: ConfigStep = { op: isLearner ? 'addLearner' : 'addVoter', node: id };
  const refusal = () => refusedToAdd(node.state.membership, member, rulesOf(node));
  await change(node, step, refusal, member);
  return {
    header: undefined,
    member: wireMember(member),
    members: node.state.membership.members().map(wireMember),
  };
}

async function promoteMember(node: NodePort, ID: bigint): Promise<void> {
  await node.readBarrier();
  await change(node, { op: 'addVoter', node: ID }, () => {
    const matchIndex = node.progress().find(({ id }) => id === ID)?.matchIndex;
    const lastIndex = node.status().committedIndex;
    const { strictReconfigCheck } = node.limits;
    return refusedToPromote(node.state.membership, ID, {
      matchIndex,
      lastIndex,
      strictReconfigCheck,
    });
  });
}

/** Counts a promotion where it is made; whoever turns out not to lead makes none. */
async function counted({ metrics }: NodePort, promotion: () => Promise<void>): Promise<void> {
  try {
    await promotion();
    metrics.promotions += 1;
  } catch (error) {
    if (EtcdError.is(error) && error.code !== 'NOT_LEADER') metrics.promotionFailed(error);
    throw error;
  }
}

/**
 * Judges a change and hands it to Raft in the same turn; again when another change came first.
 *
 * @throws EtcdError the refusal; what the change failed with.
 */
async function change(
  node: NodePort,
  step: ConfigStep,
  refusal: () => EtcdError | undefined,
  context?: MemberContext,
): Promise<void> {
  const giveUpAtMs = node.clock.monotonicMs() + node.limits.requestTimeoutMs;
  for (;;) {
    const refused = refusal();
    if (refused !== undefined) throw refused;
    try {
      await node.changeMembers({
        steps: [step],
        transition: 'auto',
        context: context === undefined ? new Uint8Array(0) : encodeMemberContext([context]),
      });
      return;
    } catch (error) {
      const isPending = EtcdError.is(error) && error.code === 'TOO_MANY_REQUESTS';
      if (!isPending || node.clock.monotonicMs() >= giveUpAtMs) throw error;
    }
    await pause(node.clock, CHANGE_PENDING_RETRY_MS);
  }
}

/** The URLs, trimmed and sorted. @throws EtcdError MEMBER_BAD_URLS. */
function checkedUrls(urls: readonly string[]): readonly string[] {
  const problems = urls.map(urlProblem).filter((problem) => problem !== undefined);
  if (urls.length === 0 || problems.length > 0) {
    throw new EtcdError('MEMBER_BAD_URLS', { detail: problems.join('; ') || 'no URL is given' });
  }
  return urls.map((url) => url.trim()).sort();
}

function rulesOf(node: NodePort): Rules {
  const { maxLearners, strictReconfigCheck } = node.limits;
  return { reach: reachability(node), maxLearners, strictReconfigCheck };
}

function reachability(node: NodePort): Reachability {
  const since = (id: bigint): number | undefined => node.connectedSinceMs(memberId(id));
  return {
    self: node.memberId,
    isConnected: (id) => since(id) !== undefined,
    isHealthy: (id) => {
      if (id === node.memberId) return true;
      const connectedSinceMs = since(id);
      if (connectedSinceMs === undefined) return false;
      return node.clock.monotonicMs() - connectedSinceMs >= HEALTH_INTERVAL_MS;
    },
  };
}
