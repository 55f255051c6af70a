/**
 * The membership on disk: one record of two length-prefixed parts (4 bytes big-endian each): the members as an
 * etcdserverpb.MemberListResponse without header, then the removed ids, 8 bytes big-endian each.
 */
import { assert } from '@etcd-ts/base';
import { MemberListResponse } from '@etcd-ts/protocol';
import type { Member } from './member.ts';

/** The record's name. */
export const MEMBERSHIP_RECORD = 'members';

const LENGTH_BYTES = 4;
const ID_BYTES = 8;

/** What the record holds; both lists sorted by id, so that equal memberships have equal bytes. */
export interface MembershipContent {
  readonly members: readonly Member[];
  readonly removedIds: readonly bigint[];
}

/** The record's bytes. */
export function encodeMembership({ members, removedIds }: MembershipContent): Uint8Array {
  const list = MemberListResponse.encode(
    MemberListResponse.fromPartial({
      members: members.map((member) => ({
        ID: member.id,
        name: member.name,
        peerURLs: [...member.peerUrls],
        clientURLs: [...member.clientUrls],
        isLearner: member.isLearner,
      })),
    }),
  );
  const removedAt = LENGTH_BYTES + list.length + LENGTH_BYTES;
  const bytes = new Uint8Array(removedAt + removedIds.length * ID_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, list.length);
  bytes.set(list, LENGTH_BYTES);
  view.setUint32(removedAt - LENGTH_BYTES, removedIds.length * ID_BYTES);
  removedIds.forEach((id, i) => view.setBigUint64(removedAt + i * ID_BYTES, id));
  return bytes;
}

/** Reads the record back. A record that is not as it was written is a broken invariant. */
export function decodeMembership(bytes: Uint8Array): MembershipContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const listBytes = view.getUint32(0);
  const removedAt = LENGTH_BYTES + listBytes + LENGTH_BYTES;
  const removedBytes = view.getUint32(removedAt - LENGTH_BYTES);
  assert(
    removedAt + removedBytes === bytes.length && removedBytes % ID_BYTES === 0,
    () => `record ${MEMBERSHIP_RECORD} has ${bytes.length} bytes, not ${removedAt + removedBytes}`,
  );
  const list = MemberListResponse.decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + listBytes));
  const removedIds: bigint[] = [];
  for (let at = removedAt; at < bytes.length; at += ID_BYTES)
    removedIds.push(view.getBigUint64(at));
  return {
    members: list.members.map((member) => ({
      id: BigInt.asUintN(64, member.ID),
      name: member.name,
      peerUrls: member.peerURLs,
      clientUrls: member.clientURLs,
      isLearner: member.isLearner,
    })),
    removedIds,
  };
}
