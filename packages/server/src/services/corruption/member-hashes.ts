/**
 * What the members say of their data: each one's HashKV, asked by a member of the others
 * (etcd server/etcdserver/corrupt.go; there over HTTP on the peer URL, here as a call of the peer transport).
 *
 * What always holds
 * - The hash of a compaction stays known after later ones, for the last few: members compare what they compacted at
 *   their own pace.
 * - A member that does not answer says nothing; it is never taken for corrupt.
 */
import { idToHex, type MemberId, memberId } from '@etcd-ts/base';
import { EtcdError, HashKVRequest, HashKVResponse } from '@etcd-ts/protocol';
import type { NodePort } from '../../node-port.ts';
import { hashKv } from '../hash-kv.ts';
import { headerNow } from '../header.ts';

/** The call. */
export const MEMBER_HASH = 'etcd-ts.Member/HashKV';

/** Hashes of compactions that are remembered (etcd hashStorageMaxSize). */
const COMPACTION_HASHES_MAX = 10;

/** The answer of another member. */
export interface MemberHash {
  readonly member: MemberId;
  readonly hash: number;
  /** Through which it goes; what was asked. */
  readonly hashRevision: number;
  readonly compactRevision: number;
  /** Where the member's store stood when it answered. */
  readonly revision: number;
}

/** A member's hashes: its own for the others, and the others' for it. */
export class MemberHashes {
  readonly #node: NodePort;
  /** By revision, oldest first. */
  readonly #ofCompactions = new Map<number, HashKVResponse>();

  constructor(node: NodePort) {
    this.#node = node;
  }

  /** Revisions of the compactions whose hashes are known, newest first. */
  get compactions(): readonly number[] {
    return [...this.#ofCompactions.keys()].reverse();
  }

  /** Takes the hash of the data that a compaction has left. Does nothing when the next one came first. */
  async rememberCompaction(revision: number): Promise<void> {
    try {
      this.#ofCompactions.set(revision, await hashKv(this.#node, revision));
    } catch (error) {
      this.#node.log.info('no hash was taken of a compaction', { revision, error });
    }
    for (const oldest of this.#ofCompactions.keys()) {
      if (this.#ofCompactions.size <= COMPACTION_HASHES_MAX) break;
      this.#ofCompactions.delete(oldest);
    }
  }

  /** Forgets everything: the data is another's now. */
  clear(): void {
    this.#ofCompactions.clear();
  }

  /** This member's hash through a revision. @throws EtcdError COMPACTED, FUTURE_REV. */
  here(revision: number): Promise<HashKVResponse> {
    const known = this.#ofCompactions.get(revision);
    return known === undefined
      ? hashKv(this.#node, revision)
      : Promise.resolve({ ...known, header: headerNow(this.#node) });
  }

  /** Answers another member. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    return HashKVResponse.encode(await this.here(HashKVRequest.decode(request).revision));
  }

  /** What the others say, in the order of their ids. Who does not answer is logged and left out. */
  async ofOthers(revision: number, signal: AbortSignal): Promise<readonly MemberHash[]> {
    const { memberId: self, state } = this.#node;
    const others = state.membership.members().filter(({ id }) => id !== self);
    const answers = await Promise.all(
      others.map(({ id }) => this.#ask(memberId(id), revision, signal)),
    );
    return answers.filter((answer) => answer !== undefined);
  }

  async #ask(
    member: MemberId,
    revision: number,
    signal: AbortSignal,
  ): Promise<MemberHash | undefined> {
    try {
      const request = HashKVRequest.encode({ revision });
      const bytes = await this.#node.callMember(member, MEMBER_HASH, request, signal);
      const { header, hash, hashRevision, compactRevision } = HashKVResponse.decode(bytes);
      return { member, hash, hashRevision, compactRevision, revision: header?.revision ?? 0 };
    } catch (error) {
      this.#node.log.warn('failed to get the hash of another member', {
        'remote-peer-id': idToHex(member),
        revision,
        error: EtcdError.from(error),
      });
      return undefined;
    }
  }
}
