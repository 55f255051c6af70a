/**
 * The replicated membership: who belongs to the cluster, under which name and URLs, and who once did.
 *
 * What always holds
 * - A removed id never comes back: its member, should it still run, is refused for ever
 *   (etcd server/etcdserver/api/membership/cluster.go).
 * - Voters and learners here are those of Raft's configuration as of the same entry; names and URLs are ours.
 * - Whatever changes is also put into the record table.
 */
import { crc32c } from '@etcd-ts/base';
import type { ConfigChange } from '@etcd-ts/raft';
import type { RecordTable } from '../apply/record-table.ts';
import { decodeMemberContext } from './member-context.ts';
import { decodeMembership, encodeMembership, MEMBERSHIP_RECORD } from './membership-record.ts';
import type { Member } from './member.ts';

/** The members and the removed ids. */
export class Membership {
  readonly #members: Map<bigint, Member>;
  readonly #removed: Set<bigint>;
  readonly #records: RecordTable;
  #checksum: number;

  /** Reads what the records hold, and writes to them from now on. */
  constructor(records: RecordTable) {
    this.#records = records;
    const record = records.get(MEMBERSHIP_RECORD);
    const { members, removedIds } =
      record === undefined ? { members: [], removedIds: [] } : decodeMembership(record);
    this.#members = new Map(members.map((member) => [member.id, member]));
    this.#removed = new Set(removedIds);
    this.#checksum = crc32c(this.#encode());
  }

  /** A digest of everything here; unsigned 32 bits. */
  get checksum(): number {
    return this.#checksum;
  }

  get(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  /** Sorted by id, as etcd lists them. */
  members(): readonly Member[] {
    return [...this.#members.values()].sort(byId);
  }

  /** Members with a vote, sorted by id. */
  voters(): readonly Member[] {
    return this.members().filter((member) => !member.isLearner);
  }

  /** Ids that once were members, sorted. */
  removedIds(): readonly bigint[] {
    return [...this.#removed].sort(byValue);
  }

  wasRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /** Applies a committed change. Steps for members that are already as asked change nothing. */
  applyChange(change: ConfigChange): void {
    if (change.steps.length === 0) return;
    const contexts = new Map(
      (change.context.length === 0 ? [] : decodeMemberContext(change.context)).map((context) => [
        context.id,
        context,
      ]),
    );
    for (const { op, node } of change.steps) {
      const known = this.#members.get(node);
      if (op === 'remove') {
        this.#members.delete(node);
        this.#removed.add(node);
        continue;
      }
      const context = contexts.get(node);
      const isLearner = op === 'update' ? (known?.isLearner ?? false) : op === 'addLearner';
      const member: Member = {
        id: node,
        name: context?.name || (known?.name ?? ''),
        peerUrls: [...(context?.peerUrls ?? known?.peerUrls ?? [])].sort(),
        clientUrls: known?.clientUrls ?? [],
        isLearner,
      };
      if (op !== 'update' || known !== undefined) this.#members.set(node, member);
    }
    this.#write();
  }

  /** A member says how it is called and where its clients reach it. Unknown members are passed over: removed. */
  publish(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    this.#members.set(id, { ...member, name, clientUrls: [...clientUrls] });
    this.#write();
  }

  /**
   * Puts the members of a new cluster in place, before its first entry. The members then follow from the log alone.
   * A start that was cut short may do it again. Nobody was ever removed from a new cluster.
   */
  bootstrap(members: readonly Member[]): void {
    this.#members.clear();
    this.#removed.clear();
    for (const member of members) this.#members.set(member.id, member);
    this.#write();
  }

  #encode(): Uint8Array {
    return encodeMembership({ members: this.members(), removedIds: this.removedIds() });
  }

  #write(): void {
    const record = this.#encode();
    this.#checksum = crc32c(record);
    this.#records.set(MEMBERSHIP_RECORD, record);
  }
}

function byId(a: Member, b: Member): number {
  return byValue(a.id, b.id);
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
