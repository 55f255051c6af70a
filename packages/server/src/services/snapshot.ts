/**
 * Maintenance.Snapshot: the whole state as of one entry, in chunks that say how many bytes are left, and behind them
 * the SHA-256 of it all (etcd server/etcdserver/api/v3rpc/maintenance.go).
 *
 * The bytes are the store's own snapshot format, padded with zeros to whole pages as a database file is: etcd's tools
 * know by the length whether the checksum is there. Two members give the same bytes for the same state.
 */
import { assert, deferred } from '@etcd-ts/base';
import { snapshotStore } from '@etcd-ts/mvcc';
import { EtcdError, type ResponseSink, type SnapshotResponse } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import type { Sha256Digest } from './sha256.ts';
import { idleTurn } from '../turns.ts';
import { storageVersion } from './version-monitor.ts';

/** Bytes of a chunk (etcd snapshotSendBufferSize). */
const CHUNK_BYTES = 32 * 1024;
/** A snapshot of which nothing was read for so long ends: it holds compactions up. */
const STALL_LIMIT_MS = 60_000;
/** What the length without the checksum is a multiple of (etcdutl snapshot: hasChecksum). */
const PAGE_BYTES = 512;

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
  const copy = snapshotStore(node.state.store, () => idleTurn(node.clock));
  try {
    // How much is left must be known with the first chunk.
    const contentBytes = await copy.sizeBytes();
    if (target.signal.aborted) return;
    await send(node, target, copy.chunks, contentBytes);
  } finally {
    copy.close();
  }
}

async function send(
  node: NodePort,
  { signal, responses, hash }: SnapshotTarget,
  chunks: AsyncIterable<Uint8Array>,
  contentBytes: number,
): Promise<void> {
  const padding = new Uint8Array((PAGE_BYTES - (contentBytes % PAGE_BYTES)) % PAGE_BYTES);
  let leftBytes = contentBytes + padding.length;
  const version = storageVersion(node);
  const sendBlob = async (blob: Uint8Array): Promise<void> => {
    const response = { header: undefined, remainingBytes: leftBytes, blob, version };
    if (!responses.send(response)) await drainedInTime(node, responses);
  };
  for await (const piece of withPadding(chunks, padding)) {
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

async function* withPadding(
  chunks: AsyncIterable<Uint8Array>,
  padding: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
  yield padding;
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
