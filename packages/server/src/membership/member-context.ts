/**
 * What rides in the `context` of a Raft membership change: the names and peer URLs of the members it touches, as one
 * etcdserverpb.MemberListResponse without header (those fields of etcd's Member are the whole vocabulary needed).
 *
 * A step that needs nothing but an id (remove, promote) has no record in the context.
 */
import { MemberListResponse } from '@etcd-ts/protocol';
import type { MemberContext } from './member.ts';

/** The context's bytes. */
export function encodeMemberContext(members: readonly MemberContext[]): Uint8Array {
  return MemberListResponse.encode(
    MemberListResponse.fromPartial({
      members: members.map(({ id, name, peerUrls }) => ({ ID: id, name, peerURLs: [...peerUrls] })),
    }),
  );
}

/**
 * Reads a context back.
 *
 * @throws The protocol's decode error when the bytes are no such message.
 */
export function decodeMemberContext(context: Uint8Array): readonly MemberContext[] {
  return MemberListResponse.decode(context).members.map((member) => ({
    id: BigInt.asUintN(64, member.ID),
    name: member.name,
    peerUrls: member.peerURLs,
  }));
}
