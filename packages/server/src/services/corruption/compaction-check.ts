/**
 * The leader compares what the members' compactions have left (etcd server/etcdserver/corrupt.go, CompactHashCheck).
 *
 * Cheaper than comparing everything, and it says who is wrong: data that a majority of the members holds is the
 * cluster's, whoever leads.
 */
import { idToHex, type MemberId } from '@etcd-ts/base';
import type { NodePort } from '../../node-port.ts';
import { isOtherData } from './data-check.ts';
import type { MemberHash, MemberHashes } from './member-hashes.ts';

/** Some members hold other data, and no majority says which is right. */
export const NOBODY_KNOWS_WHO: MemberId = 0n as MemberId;

/** Compares compactions, each once. */
export class CompactionCheck {
  readonly #node: NodePort;
  readonly #hashes: MemberHashes;
  /** Compactions up to this revision are found equal everywhere. */
  #checkedRevision = -1;

  constructor(node: NodePort, hashes: MemberHashes) {
    this.#node = node;
    this.#hashes = hashes;
  }

  /**
   * Compares the newest compaction that all members have and that was not compared before.
   *
   * @returns The members whose data is corrupt; {@link NOBODY_KNOWS_WHO} alone where no majority agrees.
   */
  async findCorruptMembers(signal: AbortSignal): Promise<readonly MemberId[]> {
    const unchecked = this.#hashes.compactions.filter((each) => each > this.#checkedRevision);
    const others = this.#node.state.membership.members().length - 1;
    for (const revision of unchecked) {
      const own = await this.#hashes.here(revision);
      const answers = await this.#hashes.ofOthers(revision, signal);
      if (answers.some((answer) => isOtherData(own, answer))) {
        return this.#blame(
          [{ ...own, member: this.#node.memberId, revision }, ...answers],
          others + 1,
        );
      }
      const isKnownToAll = answers.filter(
        ({ compactRevision }) => compactRevision === own.compactRevision,
      );
      if (isKnownToAll.length < others) continue;
      this.#checkedRevision = revision;
      this.#node.log.info('finished compaction hash check', {
        revision,
        'number-of-peers-checked': others,
      });
      return [];
    }
    return [];
  }

  #blame(answers: readonly MemberHash[], members: number): readonly MemberId[] {
    const [own] = answers;
    const comparable = answers.filter((each) => each.compactRevision === own?.compactRevision);
    const byHash = new Map<number, MemberId[]>();
    for (const { hash, member } of comparable) {
      byHash.set(hash, [...(byHash.get(hash) ?? []), member]);
    }
    const quorum = Math.floor(members / 2) + 1;
    const right = [...byHash.values()].find((holders) => holders.length >= quorum);
    const facts = [...byHash].map(([hash, holders]) => ({ hash, members: holders.map(idToHex) }));
    if (right === undefined) {
      this.#node.log.error(
        'detected compaction hash mismatch but cannot identify the corrupted members, so intentionally set the memberID as 0',
        { revision: own?.hashRevision, hashes: facts },
      );
      return [NOBODY_KNOWS_WHO];
    }
    this.#node.log.error('detected compaction hash mismatch', {
      revision: own?.hashRevision,
      hashes: facts,
    });
    return comparable.map(({ member }) => member).filter((member) => !right.includes(member));
  }
}
