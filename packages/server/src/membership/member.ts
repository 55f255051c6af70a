/** One member of the cluster, as every member knows it (etcd server/etcdserver/api/membership/member.go). */
export interface Member {
  /** 64 bits, unsigned. */
  readonly id: bigint;
  /** Empty until the member has started and published itself. */
  readonly name: string;
  /** Where its peers reach it; at least one, sorted. */
  readonly peerUrls: readonly string[];
  /** Where its clients reach it; empty until the member has started and published itself. */
  readonly clientUrls: readonly string[];
  /** True while it listens without a vote. */
  readonly isLearner: boolean;
}

/** What a change of the membership says about one member, beside Raft's own step. */
export type MemberContext = Pick<Member, 'id' | 'name' | 'peerUrls'>;
