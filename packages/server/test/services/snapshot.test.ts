import { createHash } from 'node:crypto';
import { concatBytes, utf8 } from '@etcd-ts/base';
import { memoryBackend } from '@etcd-ts/mvcc';
import type { SnapshotResponse } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReplicatedState } from '../../src/apply/replicated-state.ts';
import { fillFromBackup } from '../../src/backup/read-backup.ts';
import { fileOfBytes } from '../../src/restore/backup-file.ts';
import { Sha256 } from '../../src/services/sha256.ts';
import { type Harness, harness } from './harness.ts';

async function snapshot({ channel }: Harness): Promise<readonly SnapshotResponse[]> {
  const call = channel.stream('etcdserverpb.Maintenance/Snapshot');
  call.send({});
  const chunks: SnapshotResponse[] = [];
  for await (const chunk of call.responses) chunks.push(chunk);
  return chunks;
}

test('a snapshot counts down what is left and ends with the SHA-256 of it all', async () => {
  const h = await harness();
  for (let i = 0; i < 50; i++) await h.put(`k${i}`, 'x'.repeat(2_000));
  const chunks = await snapshot(h);
  const content = concatBytes(chunks.slice(0, -1).map(({ blob }) => blob));
  expect(content.length % 512).toBe(0);
  let leftBytes = content.length;
  for (const { blob, remainingBytes, header, version } of chunks.slice(0, -1)) {
    leftBytes -= blob.length;
    expect(blob.length).toBeLessThanOrEqual(32 * 1024);
    expect(remainingBytes).toBe(leftBytes);
    expect(header).toBeUndefined();
    expect(version).toMatch(/^3\.\d+/);
  }
  const last = chunks.at(-1);
  expect(last?.remainingBytes).toBe(0);
  expect(Buffer.from(last?.blob ?? []).toString('hex')).toBe(
    createHash('sha256').update(content).digest('hex'),
  );
});

test('a snapshot is the state as of one entry, whatever is written meanwhile', async () => {
  const h = await harness();
  await h.grant(7n, 600);
  for (let i = 0; i < 3_000; i++) {
    const flags = { prevKv: false, ignoreValue: false, ignoreLease: false };
    const request = { key: utf8(`k${i}`), value: utf8('v'), lease: i === 5 ? 7n : 0n, ...flags };
    h.node.apply({ kind: 'put', request });
  }
  const before = h.node.state.store.stateHash();
  const { revision } = h.node.state.store;
  const reading = snapshot(h);
  for (let i = 0; i < 20; i++) await h.put(`k${i}`, 'later');
  const chunks = await reading;
  const backend = memoryBackend();
  const blobs = chunks.slice(0, -1).map(({ blob }) => blob);
  await fillFromBackup(backend, fileOfBytes(concatBytes(blobs)));
  const restored = await ReplicatedState.open(backend);
  expect(restored.store.revision).toBe(revision);
  expect(restored.store.stateHash()).toBe(before);
  expect(restored.lessor.keysOf(7n)).toEqual(['k5']);
});

test('a learner gives snapshots as well', async () => {
  const h = await harness();
  h.node.setStatus({ isLearner: true, isLeader: false });
  expect(await snapshot(h)).not.toHaveLength(0);
});

test('Sha256 digests what node:crypto digests, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (pieces) => {
      const hash = new Sha256();
      for (const piece of pieces) hash.update(piece);
      const expected = createHash('sha256').update(concatBytes(pieces)).digest('hex');
      expect(Buffer.from(hash.digest()).toString('hex')).toBe(expected);
    }),
  );
});

describe('a backup that is taken slowly', () => {
  /** A stream of which one chunk was read, and a compaction that waits for its end. */
  async function slowly(): Promise<{ h: Harness; rest: AsyncIterator<SnapshotResponse> }> {
    const h = await harness();
    for (let i = 0; i < 1_500; i++) await h.put(`k${i}`, 'x'.repeat(4_000));
    const call = h.channel.stream('etcdserverpb.Maintenance/Snapshot');
    call.send({});
    const rest = call.responses[Symbol.asyncIterator]();
    await rest.next();
    await h.compact(1_000, false);
    await h.node.time.advance(100);
    expect(h.node.state.store.isCompactionHeld).toBe(true);
    return { h, rest };
  }

  test('is whole, though a compaction waits for it', async () => {
    const { h, rest } = await slowly();
    for (let i = 0; i < 20; i++) {
      await rest.next();
      await h.node.time.advance(5_000);
    }
    let last: SnapshotResponse | undefined;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      last = next.value;
    }
    expect(last).toMatchObject({ remainingBytes: 0 });
    expect(last?.blob).toHaveLength(32);
    await h.node.time.advance(1_000);
    expect(h.node.state.store.isCompactionHeld).toBe(false);
  });

  test('ends when nobody reads it, and the compaction goes on', async () => {
    const { h, rest } = await slowly();
    await h.node.time.advance(61_000);
    const reading = (async () => {
      for (let next = await rest.next(); next.done !== true; next = await rest.next());
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'nothing of the snapshot was read for 60 s',
    });
    await h.node.time.advance(1_000);
    expect(h.node.state.store.isCompactionHeld).toBe(false);
  });
});
