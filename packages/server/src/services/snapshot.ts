/**
 * Maintenance.Snapshot: the whole state as of one entry, in chunks that say how many bytes are left, and behind them
 * the SHA-256 of it all (etcd server/etcdserver/api/v3rpc/maintenance.go).
 *
 * The bytes are the store's own snapshot format, padded with zeros to whole pages as a database file is: etcd's tools
 * know by the length whether the checksum is there. Two members give the same bytes for the same state.
 */
import { deferred } from '@etcd-ts/base';
import { snapshotStore } from '@etcd-ts/mvcc';
import { EtcdError, type ResponseSink, type SnapshotResponse } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import { Sha256 } from './sha256.ts';
import { nextTurn } from './turns.ts';
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
}

/**
 * Sends a snapshot of the state as it is now, while writes go on.
 *
 * @throws EtcdError what kept the state from being read to its end.
 */
export async function sendSnapshot(
  node: NodePort,
  { signal, responses }: SnapshotTarget,
): Promise<void> {
  const { store } = node.state;
  // Twice the same copy: how much is left must be known with the first chunk, and a copy is never held in memory.
  const [sizing, sending] = [snapshotStore(store), snapshotStore(store)];
  try {
    const contentBytes = await sizeOf(sizing.chunks, signal);
    await send(node, { signal, responses }, sending.chunks, contentBytes);
  } finally {
    sizing.close();
    sending.close();
  }
}

async function sizeOf(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const piece of chunks) {
    bytes += piece.length;
    if (signal.aborted) break;
  }
  return bytes;
}

async function send(
  node: NodePort,
  { signal, responses }: SnapshotTarget,
  chunks: AsyncIterable<Uint8Array>,
  contentBytes: number,
): Promise<void> {
  let leftBytes = contentBytes;
  const padding = new Uint8Array((PAGE_BYTES - (leftBytes % PAGE_BYTES)) % PAGE_BYTES);
  leftBytes += padding.length;
  const hash = new Sha256();
  const sendBlob = async (blob: Uint8Array): Promise<void> => {
    const response = {
      header: undefined,
      remainingBytes: leftBytes,
      blob,
      version: storageVersion(node),
    };
    if (!responses.send(response)) await drainedInTime(node, responses);
  };
  for await (const piece of withPadding(chunks, padding)) {
    for (let at = 0; at < piece.length; at += CHUNK_BYTES) {
      const blob = piece.subarray(at, at + CHUNK_BYTES);
      hash.update(blob);
      leftBytes -= blob.length;
      await sendBlob(blob);
      if (signal.aborted) return;
    }
    await nextTurn(node.clock);
  }
  const digest = hash.digest();
  leftBytes = 0;
  await sendBlob(digest);
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
