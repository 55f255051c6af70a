import type { Member } from '@etcd-ts/protocol';
import type { Caller, ClientCallOptions } from './caller.ts';

/** The cluster calls: `client.cluster`. */
export class Cluster {
  readonly #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** All members, in the order of their ids. @param options.linearizable Ask the cluster. @defaultValue true */
  async members(
    options: ClientCallOptions & { readonly linearizable?: boolean } = {},
  ): Promise<Member[]> {
    const request = { linearizable: options.linearizable ?? true };
    const answer = await this.#caller.unary(
      'etcdserverpb.Cluster/MemberList',
      request,
      'read',
      options,
    );
    return answer.members;
  }

  /**
   * Adds a member, which then has to be started with initial cluster state `existing`.
   *
   * @param options.learner It gets the log but has no vote until it is promoted.
   * @throws EtcdError MEMBER_BAD_URLS, PEER_URL_EXIST, TOO_MANY_LEARNERS, MEMBER_NOT_ENOUGH_STARTED, UNHEALTHY.
   */
  async add(
    peerURLs: readonly string[],
    options: ClientCallOptions & { readonly learner?: boolean } = {},
  ): Promise<{ readonly member: Member | undefined; readonly members: readonly Member[] }> {
    const request = { peerURLs: [...peerURLs], isLearner: options.learner ?? false };
    const { member, members } = await this.#caller.unary(
      'etcdserverpb.Cluster/MemberAdd',
      request,
      'write',
      options,
    );
    return { member, members };
  }

  /** @returns All members after it. @throws EtcdError MEMBER_NOT_FOUND, MEMBER_NOT_ENOUGH_STARTED, UNHEALTHY. */
  async remove(id: bigint, options?: ClientCallOptions): Promise<Member[]> {
    const answer = await this.#caller.unary(
      'etcdserverpb.Cluster/MemberRemove',
      { ID: id },
      'write',
      options,
    );
    return answer.members;
  }

  /** Changes peer URLs. @returns All members after it. @throws EtcdError MEMBER_NOT_FOUND, PEER_URL_EXIST. */
  async update(
    id: bigint,
    peerURLs: readonly string[],
    options?: ClientCallOptions,
  ): Promise<Member[]> {
    const request = { ID: id, peerURLs: [...peerURLs] };
    const answer = await this.#caller.unary(
      'etcdserverpb.Cluster/MemberUpdate',
      request,
      'write',
      options,
    );
    return answer.members;
  }

  /** Makes a learner a voter. @throws EtcdError MEMBER_NOT_FOUND, MEMBER_NOT_LEARNER, LEARNER_NOT_READY. */
  async promote(id: bigint, options?: ClientCallOptions): Promise<Member[]> {
    const answer = await this.#caller.unary(
      'etcdserverpb.Cluster/MemberPromote',
      { ID: id },
      'write',
      options,
    );
    return answer.members;
  }
}
