import type { ConfigChange, NodeId, Role } from '@etcd-ts/raft';
import type { ConsensusStatus } from '../../src/consensus/consensus.ts';

/** An engine that only writes down what it is asked. */
export class FakeConsensus {
  role: Role = 'leader';
  leader: NodeId = 1n;
  term = 2;
  committedIndex = 0;
  readonly proposed: { readonly token: number; readonly data: Uint8Array }[] = [];
  readonly reads: number[] = [];
  readonly changed: number[] = [];
  readonly changeTerms: number[] = [];

  status(): ConsensusStatus {
    return {
      role: this.role,
      leader: this.leader,
      term: this.term,
      committedIndex: this.committedIndex,
      lastIndex: 0,
      firstIndex: 1,
    };
  }

  propose(token: number, data: Uint8Array): void {
    this.proposed.push({ token, data });
  }

  readIndex(token: number): void {
    this.reads.push(token);
  }

  changeConfig(token: number, _change: ConfigChange, inTerm: number): void {
    this.changed.push(token);
    this.changeTerms.push(inTerm);
  }

  transferLeadership(token: number): void {
    this.changed.push(token);
  }
}
