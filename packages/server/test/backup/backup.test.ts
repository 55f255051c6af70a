/** The state as etcd's database: what is in which bucket, byte for byte, and back. */
import { gunzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { concatBytes, idToHex, InvariantError, toLatin1, utf8 } from '@etcd-ts/base';
import { copyStore, memoryBackend } from '@etcd-ts/mvcc';
import { AlarmType, PutRequest } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { ReplicatedState } from '../../src/apply/replicated-state.ts';
import { backupBuckets } from '../../src/backup/backup-buckets.ts';
import { fillFromBackup } from '../../src/backup/read-backup.ts';
import { type BboltEntry, BboltError } from '../../src/bbolt/format.ts';
import { planDatabase, writeDatabase } from '../../src/bbolt/write-database.ts';
import { fileOfBytes } from '../../src/restore/backup-file.ts';
import { bucketOf, readAll, written } from '../bbolt/support.ts';

const VOTER = 0xf000000000000001n;
const LEARNER = 0x1n;
const LEASE = -2n;

const CONF_STATE = {
  voters: [VOTER],
  votersOutgoing: [],
  learners: [LEARNER],
  learnersNext: [],
  autoLeave: false,
};

/** A state with some of everything. */
async function filled(): Promise<ReplicatedState> {
  const state = await ReplicatedState.open(memoryBackend());
  const common = { peerUrls: ['http://a:1'], clientUrls: [] };
  state.bootstrap(
    [
      { ...common, id: VOTER, name: 'a', clientUrls: ['http://a:2'], isLearner: false },
      { ...common, id: LEARNER, name: '', isLearner: true },
    ],
    CONF_STATE,
  );
  let index = 0;
  const apply = (command: Parameters<ReplicatedState['apply']>[0]['command']): void => {
    state.apply({ index: ++index, term: 3, command });
  };
  apply({ kind: 'leaseGrant', request: { ID: LEASE, TTL: 60 } });
  state.lessor.checkpoint(LEASE, 20);
  const put = (key: string, more: object): void =>
    apply({ kind: 'put', request: PutRequest.fromPartial({ key: utf8(key), ...more }) });
  put('k', { value: utf8('v'), lease: LEASE });
  put('gone', {});
  apply({
    kind: 'deleteRange',
    request: { key: utf8('gone'), rangeEnd: new Uint8Array(), prevKv: false },
  });
  apply({ kind: 'compact', request: { revision: 2, physical: false } });
  for (const memberID of [VOTER, LEARNER]) {
    apply({ kind: 'alarm', request: { action: 1, memberID, alarm: AlarmType.CORRUPT } });
  }
  apply({ kind: 'setClusterVersion', version: '3.6' });
  apply({ kind: 'setDowngrade', target: '3.5' });
  return state;
}

function bucketsOf(state: ReplicatedState) {
  return backupBuckets(state, copyStore(state.store), () => Promise.resolve());
}

/** A bucket as text. */
function rows(entries: readonly BboltEntry[] | undefined): Record<string, string> {
  return Object.fromEntries((entries ?? []).map(([k, v]) => [toLatin1(k), toLatin1(v)]));
}

/** 8 bytes, big-endian, as text. */
function number(value: number): string {
  return String.fromCharCode(value).padStart(8, '\0');
}

describe('a backup', () => {
  let state: ReplicatedState;
  let found: Map<string, BboltEntry[]>;
  beforeAll(async () => {
    state = await filled();
    found = await readAll(await written(bucketsOf(state)));
  });

  test("has etcd's buckets, in their order", () => {
    expect([...found.keys()]).toEqual(
      'alarm auth authRoles authUsers cluster key lease members members_removed meta'.split(' '),
    );
  });

  test('says where the log stands, who votes, and what was compacted', () => {
    expect(rows(found.get('meta'))).toEqual({
      confState: `{"voters":[${VOTER}],"learners":[1],"auto_leave":false}`,
      consistent_index: number(9),
      finishedCompactRev: `${number(2)}_${number(0)}`,
      scheduledCompactRev: `${number(2)}_${number(0)}`,
      storageVersion: '3.6.0',
      term: number(3),
    });
    expect(rows(found.get('cluster'))).toEqual({
      clusterVersion: '3.6.0',
      downgrade: '{"target-version":"3.5.0","enabled":true}',
    });
  });

  test('names its members as etcd does', () => {
    expect(rows(found.get('members'))).toEqual({
      [idToHex(VOTER)]:
        `{"id":${VOTER},"peerURLs":["http://a:1"],"name":"a","clientURLs":["http://a:2"]}`,
      1: '{"id":1,"peerURLs":["http://a:1"],"isLearner":true}',
    });
  });

  test('has the revisions under their 17 bytes, deletes under 18', () => {
    expect([...(found.get('key') ?? [])].map(([name]) => toLatin1(name))).toEqual([
      `${number(2)}_${number(0)}`,
      `${number(3)}_${number(0)}`,
      `${number(4)}_${number(0)}t`,
    ]);
  });

  test('is a state again that is the same in everything that a new cluster keeps', async () => {
    const backend = memoryBackend();
    await fillFromBackup(backend, fileOfBytes(await written(bucketsOf(state))));
    const restored = await ReplicatedState.open(backend);
    expect(restored.store.stateHash()).toBe(state.store.stateHash());
    expect([restored.appliedIndex, restored.appliedTerm]).toEqual([9, 3]);
    expect(restored.alarms.list()).toEqual(state.alarms.list());
    expect(restored.lessor.keysOf(LEASE)).toEqual(['k']);
    expect(restored.lessor.get(LEASE)).toMatchObject({
      grantedTtlSeconds: 60,
      checkpointedTtlSeconds: 20,
    });
  });

  test('says how far revisions have got when the last one has no record', async () => {
    const jumped = await filled();
    jumped.store.skipTo(1_000);
    const file = await written(bucketsOf(jumped));
    const [name, value] = (await readAll(file)).get('key')!.at(-1)!;
    expect([toLatin1(name).slice(6), value.length]).toEqual([`\u0003\u00e8_${number(0)}`, 0]);
    const backend = memoryBackend();
    await fillFromBackup(backend, fileOfBytes(file));
    const { store } = await ReplicatedState.open(backend);
    expect([store.revision, store.compactRevision, store.keyCount]).toEqual([1_000, 1_000, 1]);
  });

  test('comes in pieces of some pages, however much there is', async () => {
    const entries = Array.from({ length: 20_000 }, (_, i): BboltEntry => [
      utf8(String(i).padStart(17, '0')),
      new Uint8Array(100),
    ]);
    const buckets = [bucketOf('key', entries)];
    let bytes = 0;
    for await (const piece of writeDatabase(buckets, await planDatabase(buckets))) {
      expect(piece.length).toBeLessThanOrEqual((128 << 10) + 3 * 4096);
      bytes += piece.length;
    }
    expect(bytes).toBeGreaterThan(20_000 * 133);
  });
});

describe('a backup of etcd 3.5', () => {
  const file = gunzipSync(readFileSync(new URL('etcd-3.5-backup.db.gz', import.meta.url)));

  test('is read with its keys, lease, users and roles', async () => {
    const backend = memoryBackend();
    await fillFromBackup(backend, fileOfBytes(file.subarray(0, -32)));
    const state = await ReplicatedState.open(backend);
    const { store, auth, lessor } = state;
    expect([store.revision, store.compactRevision, store.keyCount]).toEqual([33, 10, 30]);
    expect(
      auth.users().map(({ name, roles, noPassword }) => ({ name, roles, noPassword })),
    ).toEqual([
      { name: 'cert', roles: [], noPassword: true },
      { name: 'root', roles: ['root'], noPassword: false },
      { name: 'u', roles: ['r'], noPassword: false },
    ]);
    expect(auth.roles()).toEqual([
      { name: 'r', permissions: [{ permType: 2, key: utf8('a'), rangeEnd: utf8('b') }] },
    ]);
    expect([auth.enabled, auth.revision]).toEqual([false, 8]);
    const [lease] = [...lessor.leases()];
    expect(lease).toMatchObject({ grantedTtlSeconds: 600 });
    expect(lessor.keysOf(lease!.id)).toEqual(['leased']);
  });
});

describe('a backup of etcd that was damaged', () => {
  const file = gunzipSync(readFileSync(new URL('etcd-3.5-backup.db.gz', import.meta.url)));

  test('is a state, or refused, wherever bytes were changed', async () => {
    const change = fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 0, max: 255 }));
    const property = fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 40 }),
      async (changes) => {
        const damaged = new Uint8Array(file.subarray(0, -32));
        for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
        const backend = memoryBackend();
        try {
          await fillFromBackup(backend, fileOfBytes(damaged));
          await ReplicatedState.open(backend);
        } catch (error) {
          if (error instanceof BboltError || error instanceof InvariantError) return;
          throw error;
        }
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });
});

describe('a database that is none of etcd', () => {
  const refused = async (buckets: Record<string, readonly BboltEntry[]>): Promise<void> => {
    const sources = Object.entries(buckets).map(([name, entries]) => bucketOf(name, entries));
    await fillFromBackup(memoryBackend(), fileOfBytes(await written(sources)));
  };
  const revision = concatBytes([new Uint8Array(8).fill(1), utf8('_'), new Uint8Array(8)]);

  test('is refused, and it is said what is wrong', async () => {
    await expect(refused({ key: [] })).rejects.toThrow('bucket meta is missing');
    await expect(refused({ key: [[utf8('k'), utf8('v')]], meta: [] })).rejects.toThrow(
      'bucket key has a key that is no revision: k',
    );
    await expect(refused({ key: [[revision, utf8('v')]], meta: [] })).rejects.toThrow(
      'a revision is 72340172838076670, and too large',
    );
    await expect(refused({ key: [], meta: [[utf8('term'), utf8('v')]] })).rejects.toThrow(
      'term has 1 bytes, and should have 8',
    );
    const lease: BboltEntry = [new Uint8Array(8), utf8('\u0001\u0002')];
    await expect(refused({ key: [], lease: [lease], meta: [] })).rejects.toThrow(
      'bucket lease has a value that is none',
    );
  });

  test('may lack the buckets of later versions', async () => {
    const record: BboltEntry = [
      concatBytes([new Uint8Array(7), new Uint8Array([2]), utf8('_'), new Uint8Array(8)]),
      utf8('\n\u0001k\u0010\u0002\u0018\u0002 \u0001*\u0001v'),
    ];
    const backend = memoryBackend();
    const sources = [bucketOf('key', [record]), bucketOf('meta', [])];
    await fillFromBackup(backend, fileOfBytes(await written(sources)));
    const { store } = await ReplicatedState.open(backend);
    expect([store.revision, store.keyCount]).toEqual([2, 1]);
  });
});
