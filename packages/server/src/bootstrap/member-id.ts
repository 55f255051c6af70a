import {
  type ClusterId,
  clusterId,
  concatBytes,
  type MemberId,
  memberId,
  utf8,
} from '@etcd-ts/base';
import { sha1 } from './sha1.ts';

/** The first eight bytes of a SHA-1 as an unsigned number. */
function idOf(bytes: Uint8Array): bigint {
  const digest = sha1(bytes);
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
}

/**
 * A member's id, as etcd computes it (server/etcdserver/api/membership/member.go, computeMemberId).
 *
 * @param peerUrls In any order.
 * @param token The initial cluster token; empty for members added at run time.
 * @param addedAtSeconds Unix time of a member added at run time; undefined at bootstrap.
 */
export function computeMemberId(
  peerUrls: readonly string[],
  token: string,
  addedAtSeconds?: number,
): MemberId {
  const time = addedAtSeconds === undefined ? '' : String(addedAtSeconds);
  return memberId(idOf(utf8([...peerUrls].sort(byCodeUnits).join('') + token + time)));
}

/** The cluster's id of its first members' ids, as etcd computes it (membership/cluster.go, genID). */
export function computeClusterId(members: readonly MemberId[]): ClusterId {
  const sorted = [...members].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const parts = sorted.map((id) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, id);
    return bytes;
  });
  return clusterId(idOf(concatBytes(parts)));
}

/** URLs are ASCII: code unit order is the byte order that etcd sorts by, whatever the locale. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
