/** What can be said of a snapshot whatever database it is of: how it is cut, and whether its checksum is right. */
import { createHash } from 'node:crypto';
import { type Channel, SnapshotRequest } from '@etcd-ts/protocol';
import { errorAnswer } from './answer.ts';

const HASH_BYTES = 32;
const PAGE_BYTES = 512;

/** Takes a snapshot and describes it. */
export async function snapshotShape(channel: Channel): Promise<unknown> {
  const call = channel.stream('etcdserverpb.Maintenance/Snapshot');
  call.send(SnapshotRequest.fromPartial({}));
  call.end();
  const blobs: Uint8Array[] = [];
  const remaining: number[] = [];
  try {
    for await (const { blob, remainingBytes, header } of call.responses) {
      if (header !== undefined) return 'a header';
      blobs.push(blob);
      remaining.push(remainingBytes);
    }
  } catch (error) {
    return errorAnswer(error);
  }
  const digest = blobs.pop() ?? new Uint8Array(0);
  const content = Buffer.concat(blobs);
  let left = content.length;
  const counts = blobs.map(({ length }) => (left -= length));
  return {
    isPadded: content.length % PAGE_BYTES === 0,
    largest: Math.max(...blobs.slice(0, -1).map(({ length }) => length), 0) <= 32 * 1024,
    counts: remaining.slice(0, -1).every((bytes, i) => bytes === counts[i]),
    last: [remaining.at(-1), digest.length === HASH_BYTES],
    isHashRight: createHash('sha256').update(content).digest().equals(digest),
  };
}
