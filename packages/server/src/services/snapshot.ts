/**
 * Maintenance.Snapshot: the whole state as of one entry, in chunks that say how many bytes are left, and behind them
 * the SHA-256 of it all (etcd server/etcdserver/api/v3rpc/maintenance.go).
 *
 * The bytes are those of a database as etcd has it, made anew for every snapshot: `etcdutl snapshot status` tells of it,
 * and a real etcd can be restored from it.
 */
import { assert, deferred } from '@etcd-ts/base';
import { copyStore } from '@etcd-ts/mvcc';
import { EtcdError, type ResponseSink, type SnapshotResponse } from '@etcd-ts/protocol';
import { backupBuckets } from '../backup/backup-buckets.ts';
import { planDatabase, writeDatabase } from '../bbolt/write-database.ts';
import type { NodePort } from '../node-port.ts';
import type { Sha256Digest } from './sha256.ts';
import { idleTurn } from '../turns.ts';
import { storageVersion } from './version-monitor.ts';

/** Bytes of a chunk (etcd snapshotSendBufferSize). */
const CHUNK_BYTES = 32 * 1024;
/** A snapshot of which nothing was read for so long ends: it holds compactions up. */
const STALL_LIMIT_MS = 60_000;

/** Where a snapshot goes. */
export interface SnapshotTarget {
  readonly signal: AbortSignal;
  readonly responses: ResponseSink<SnapshotResponse>;
  readonly hash: Sha256Digest;
}

/**
 * Sends a snapshot of the state as it is now, while writes go on.
 *
 * @throws EtcdError what kept the state from being read to its end.
 */
export async function sendSnapshot(node: NodePort, target: SnapshotTarget): Promise<void> {
  const aTurn = (): Promise<void> => idleTurn(node.clock);
  const copy = copyStore(node.state.store, aTurn);
  try {
    const buckets = backupBuckets(node.state, copy, aTurn);
    const plan = await planDatabase(buckets);
    if (target.signal.aborted) return;
    await send(node, target, writeDatabase(buckets, plan), plan.sizeBytes);
  } finally {
    copy.close();
  }
}

async function send(
  node: NodePort,
  { signal, responses, hash }: SnapshotTarget,
  pieces: AsyncIterable<Uint8Array>,
  contentBytes: number,
): Promise<void> {
  let leftBytes = contentBytes;
  const version = storageVersion(node);
  const sendBlob = async (blob: Uint8Array): Promise<void> => {
    const response = { header: undefined, remainingBytes: leftBytes, blob, version };
    if (!responses.send(response)) await drainedInTime(node, responses);
  };
  for await (const piece of pieces) {
    hash.update(piece);
    for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
      const blob = piece.subarray(at, at + CHUNK_BYTES);
      leftBytes -= blob.length;
      await sendBlob(blob);
      if (signal.aborted) return;
    }
  }
  assert(leftBytes === 0, () => `the snapshot has ${-leftBytes} bytes more than were counted`);
  await sendBlob(hash.digest());
}

/** @throws EtcdError UNAVAILABLE when nothing is read for too long. */
async function drainedInTime(
  { clock }: NodePort,
  responses: ResponseSink<SnapshotResponse>,
): Promise<void> {
  let isStalled = false;
  const stalled = deferred<void>();
  const timer = clock.after(STALL_LIMIT_MS, () => {
    isStalled = true;
    stalled.resolve();
  });
  await Promise.race([responses.drained(), stalled.promise]);
  timer.cancel();
  if (!isStalled) return;
  const seconds = STALL_LIMIT_MS / 1_000;
  throw new EtcdError('UNAVAILABLE', {
    message: `nothing of the snapshot was read for ${seconds} s`,
  });
}
