import { memberId, utf8 } from '@etcd-ts/base';
import { AlarmAction, AlarmType, DowngradeAction } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { failure, type Harness, harness, op } from './harness.ts';

function alarm({ channel }: Harness, action: number, memberID: bigint, type: number) {
  return channel.unary('etcdserverpb.Maintenance/Alarm', { action, memberID, alarm: type });
}
const { GET, ACTIVATE, DEACTIVATE } = AlarmAction;
const { NONE, NOSPACE, CORRUPT } = AlarmType;

describe('alarms', () => {
  test('NOSPACE blocks puts, txns with a put in either branch, and lease grants', async () => {
    const h = await harness();
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    expect(await failure(h.put('a'))).toBe('NO_SPACE');
    expect(await failure(h.txn({ success: [op.put('a')] }))).toBe('NO_SPACE');
    expect(await failure(h.txn({ failure: [op.put('a')] }))).toBe('NO_SPACE');
    expect(await failure(h.txn({ success: [op.txn({ failure: [op.put('a')] })] }))).toBe(
      'NO_SPACE',
    );
    expect(await failure(h.grant(7n, 10))).toBe('NO_SPACE');
  });

  test('NOSPACE lets deletes, compactions, reads and revokes through', async () => {
    const h = await harness();
    await h.grant(7n, 10);
    await h.put('a');
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    expect((await h.range('a')).count).toBe(1);
    expect((await h.del('a')).deleted).toBe(1);
    expect((await h.txn({ success: [op.del('b')] })).succeeded).toBe(true);
    await h.compact(3, false);
    await h.channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
  });

  test('an alarm is lowered by the exact member and type alone', async () => {
    const h = await harness();
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    for (const [memberID, type] of [
      [8n, NOSPACE],
      [7n, CORRUPT],
      [0n, NOSPACE],
      [7n, NONE],
    ] as const) {
      expect((await alarm(h, DEACTIVATE, memberID, type)).alarms).toEqual([]);
      expect(await failure(h.put('a'))).toBe('NO_SPACE');
    }
    expect((await alarm(h, DEACTIVATE, 7n, NOSPACE)).alarms).toHaveLength(1);
    expect((await h.put('a')).header?.revision).toBe(2);
  });

  test('raising NONE does nothing, raising again answers the alarm that is there', async () => {
    const h = await harness();
    expect((await alarm(h, ACTIVATE, 7n, NONE)).alarms).toEqual([]);
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    expect((await alarm(h, ACTIVATE, 7n, NOSPACE)).alarms).toEqual([
      { memberID: 7n, alarm: NOSPACE },
    ]);
    expect((await alarm(h, GET, 0n, NONE)).alarms).toHaveLength(1);
  });

  test('are listed by type, whoever raised them', async () => {
    const h = await harness();
    await alarm(h, ACTIVATE, 8n, NOSPACE);
    await alarm(h, ACTIVATE, 7n, CORRUPT);
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    expect((await alarm(h, GET, 1n, NOSPACE)).alarms).toEqual([
      { memberID: 7n, alarm: NOSPACE },
      { memberID: 8n, alarm: NOSPACE },
    ]);
    expect((await alarm(h, GET, 1n, NONE)).alarms).toHaveLength(3);
  });

  test('are listed with all that were raised anywhere before', async () => {
    const h = await harness();
    const raised = { memberID: 8n, alarm: NOSPACE };
    h.node.beforeBarrier = () => {
      h.node.apply({ kind: 'alarm', request: { action: ACTIVATE, ...raised } });
      return Promise.resolve();
    };
    expect((await alarm(h, GET, 0n, NONE)).alarms).toEqual([raised]);
  });

  test('CORRUPT blocks every change with DataLoss; ranges and read-only txns still answer', async () => {
    const h = await harness();
    await h.grant(7n, 10);
    await h.put('a');
    await alarm(h, ACTIVATE, 7n, CORRUPT);
    const changes = [
      h.put('a'),
      h.del('a'),
      h.txn({ success: [op.put('a')] }),
      h.txn({ success: [op.txn({})] }),
      h.compact(2, false),
      h.grant(8n, 10),
      h.channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n }),
    ];
    for (const change of changes) expect(await failure(change)).toBe('CORRUPT');
    expect((await h.range('a')).count).toBe(1);
    expect((await h.txn({ success: [op.range('a')] })).succeeded).toBe(true);
  });

  test('under CORRUPT expired leases stay until it is lowered', async () => {
    const h = await harness();
    await h.grant(7n, 10);
    await alarm(h, ACTIVATE, 7n, CORRUPT);
    await h.node.time.advance(20_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    await alarm(h, DEACTIVATE, 7n, CORRUPT);
    await h.node.time.advance(5_000);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });
});

describe('quota', () => {
  test('the first write that does not fit raises NOSPACE for this member, and is refused', async () => {
    const h = await harness({ quotaBackendBytes: 2_000 });
    await h.put('a', 'x'.repeat(500));
    expect(await failure(h.put('b', 'x'.repeat(1_500)))).toBe('NO_SPACE');
    expect((await alarm(h, GET, 0n, NONE)).alarms).toEqual([
      { memberID: h.node.memberId, alarm: NOSPACE },
    ]);
    expect(await failure(h.put('c'))).toBe('NO_SPACE');
    expect((await h.range('b')).count).toBe(0);
  });

  test('is judged before anything else that is wrong with the request', async () => {
    const h = await harness({ quotaBackendBytes: 100 });
    expect(await failure(h.put(''))).toBe('NO_SPACE');
  });

  test('freeing space does not lower the alarm', async () => {
    const h = await harness({ quotaBackendBytes: 2_000 });
    await h.put('a', 'x'.repeat(500));
    await failure(h.put('b', 'x'.repeat(1_500)));
    await h.del('a');
    const compacting = h.compact(3);
    await h.node.time.advance(1_000);
    await compacting;
    expect(await failure(h.put('c'))).toBe('NO_SPACE');
  });

  test.each([
    ['a put', 256 + 1 + 10, (h: Harness) => h.put('k', '0123456789')],
    ['a lease', 64, (h: Harness) => h.grant(7n, 100)],
    [
      'a transaction: the branch that puts more, nested ones with it, taken or not',
      2 * 256 + 2 + 3,
      (h: Harness) =>
        h.txn({
          success: [op.put('a', '12')],
          failure: [op.put('a', '1'), op.txn({ success: [op.put('b', '12')], failure: [] })],
        }),
    ],
  ])('%s costs what etcd reckons, and must leave something over', async (_, cost, call) => {
    // The quota's own record of the alarm aside, a store without keys has the size of its blobs.
    const { sizeBytes } = (await harness()).node.state.store;
    expect(await failure(call(await harness({ quotaBackendBytes: sizeBytes + cost })))).toBe(
      'NO_SPACE',
    );
    await call(await harness({ quotaBackendBytes: sizeBytes + cost + 1 }));
  });

  test('what only reads or deletes costs nothing', async () => {
    const h = await harness({ quotaBackendBytes: 1 });
    await h.del('a');
    await h.txn({ success: [op.range('a'), op.del('a')] });
    expect(await failure(h.put('a'))).toBe('NO_SPACE');
  });

  test('negative means none', async () => {
    const h = await harness({ quotaBackendBytes: -1 });
    expect((await h.put('a', 'x'.repeat(100_000))).header?.revision).toBe(2);
  });
});

describe('status', () => {
  test('says what the member knows of itself', async () => {
    const h = await harness();
    await h.put('a', 'x'.repeat(100));
    const status = await h.channel.unary('etcdserverpb.Maintenance/Status', {});
    expect(status).toMatchObject({
      header: { revision: 2, raftTerm: 2 },
      leader: h.node.memberId,
      raftTerm: 2,
      raftIndex: 1,
      raftAppliedIndex: 1,
      errors: [],
      isLearner: false,
      dbSizeQuota: 2 * 1024 ** 3,
      downgradeInfo: { enabled: false, targetVersion: '' },
    });
    expect(status.dbSize).toBeGreaterThan(100);
    expect(status.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('lists a missing leader and every alarm, in the words of etcd', async () => {
    const h = await harness();
    await alarm(h, ACTIVATE, 7n, NOSPACE);
    h.node.setStatus({ leader: memberId(0n), isLeader: false });
    const { errors } = await h.channel.unary('etcdserverpb.Maintenance/Status', {});
    expect(errors).toEqual(['etcdserver: no leader', 'memberID:7 alarm:NOSPACE ']);
  });
});

describe('hashes', () => {
  test('of the history are the same on members with the same history, and differ with it', async () => {
    const [a, b] = [await harness(), await harness()];
    for (const h of [a, b]) {
      await h.put('a', '1');
      await h.put('b', '2');
    }
    const hash = (h: Harness, revision: number) =>
      h.channel.unary('etcdserverpb.Maintenance/HashKV', { revision });
    expect((await hash(a, 0)).hash).toBe((await hash(b, 0)).hash);
    await b.put('b', '3');
    expect((await hash(a, 0)).hash).not.toBe((await hash(b, 0)).hash);
    expect((await hash(a, 3)).hash).toBe((await hash(b, 3)).hash);
    expect(await hash(b, 3)).toMatchObject({ compactRevision: -1, hashRevision: 3 });
  });

  test('below the compact revision are compacted, above the current one in the future', async () => {
    const h = await harness();
    for (const value of ['1', '2', '3']) await h.put('a', value);
    await h.compact(3, false);
    const hash = (revision: number) =>
      h.channel.unary('etcdserverpb.Maintenance/HashKV', { revision });
    expect(await failure(hash(2))).toBe('COMPACTED');
    expect(await failure(hash(5))).toBe('FUTURE_REV');
    expect(await hash(3)).toMatchObject({ compactRevision: 3 });
  });

  test('of many versions are made in steps, at the revision at which they began', async () => {
    const h = await harness();
    for (let i = 0; i < 5_000; i++) {
      const request = { key: utf8('a'), value: utf8(`${i}`), lease: 0n };
      h.node.apply({
        kind: 'put',
        request: { ...request, prevKv: false, ignoreValue: false, ignoreLease: false },
      });
    }
    const hashing = h.channel.unary('etcdserverpb.Maintenance/HashKV', { revision: 0 });
    await h.put('b');
    const again = await h.channel.unary('etcdserverpb.Maintenance/HashKV', { revision: 5_001 });
    expect((await hashing).hash).toBe(again.hash);
  });
});

describe('downgrade', () => {
  const { VALIDATE, ENABLE, CANCEL } = DowngradeAction;
  const ask = ({ channel }: Harness, action: number, version: string) =>
    channel.unary('etcdserverpb.Maintenance/Downgrade', { action, version });
  const decided = async (): Promise<Harness> => {
    const h = await harness();
    h.node.apply({ kind: 'setClusterVersion', version: '3.6' });
    return h;
  };
  const infoOf = async ({ channel }: Harness) =>
    (await channel.unary('etcdserverpb.Maintenance/Status', {})).downgradeInfo;

  test('is valid to the minor version before this one, and to no other', async () => {
    const h = await decided();
    expect((await ask(h, VALIDATE, '3.5')).version).toBe('3.6');
    expect((await ask(h, VALIDATE, '3.5.7')).version).toBe('3.6');
    for (const action of [VALIDATE, ENABLE]) {
      for (const version of ['3.6', '3.4', '2.5']) {
        expect(await failure(ask(h, action, version))).toBe('INVALID_DOWNGRADE_TARGET_VERSION');
      }
      for (const version of ['', '3', 'v3.5', '3.5.x']) {
        expect(await failure(ask(h, action, version))).toBe('WRONG_DOWNGRADE_VERSION_FORMAT');
      }
    }
    expect(await infoOf(h)).toEqual({ enabled: false, targetVersion: '' });
  });

  test('needs a cluster version', async () => {
    expect(await failure(ask(await harness(), VALIDATE, '3.5'))).toBe(
      'CLUSTER_VERSION_UNAVAILABLE',
    );
  });

  test('is judged by what was decided anywhere before', async () => {
    const h = await harness();
    h.node.beforeBarrier = () => {
      h.node.apply({ kind: 'setClusterVersion', version: '3.6' });
      return Promise.resolve();
    };
    expect((await ask(h, VALIDATE, '3.5')).version).toBe('3.6');
  });

  test('is begun once, shows in Status, and is called off', async () => {
    const h = await decided();
    expect((await ask(h, ENABLE, '3.5')).version).toBe('3.6');
    expect(await infoOf(h)).toEqual({ enabled: true, targetVersion: '3.5.0' });
    expect(await failure(ask(h, ENABLE, '3.5'))).toBe('DOWNGRADE_IN_PROCESS');
    expect(await failure(ask(h, VALIDATE, '3.5'))).toBe('DOWNGRADE_IN_PROCESS');
    expect((await ask(h, CANCEL, '')).version).toBe('3.6');
    expect(await infoOf(h)).toEqual({ enabled: false, targetVersion: '' });
    expect((await ask(h, CANCEL, '')).version).toBe('3.6');
  });

  test('an unknown action is refused', async () => {
    expect(await failure(ask(await decided(), 9, '3.5'))).toBe('UNKNOWN_METHOD');
  });
});

describe('moving the leader', () => {
  const move = ({ channel }: Harness, targetID: bigint) =>
    channel.unary('etcdserverpb.Maintenance/MoveLeader', { targetID });

  test('needs the leader, and a voter as its target; to itself it succeeds at once', async () => {
    const h = await harness();
    const member = { name: 'x', peerUrls: [], clientUrls: [] };
    h.node.state.bootstrap(
      [
        { ...member, id: h.node.memberId, isLearner: false },
        { ...member, id: 2n, isLearner: false },
        { ...member, id: 3n, isLearner: true },
      ],
      h.node.state.confState,
    );
    expect(await failure(move(h, 9n))).toBe('BAD_LEADER_TRANSFEREE');
    expect(await failure(move(h, 3n))).toBe('BAD_LEADER_TRANSFEREE');
    expect((await move(h, h.node.memberId)).header).toBeUndefined();
    expect(h.node.transferred).toEqual([]);
    await move(h, 2n);
    expect(h.node.transferred).toEqual([2n]);
    h.node.setStatus({ isLeader: false, leader: memberId(2n) });
    expect(await failure(move(h, 2n))).toBe('NOT_LEADER');
  });
});

describe('health', () => {
  test('the server as a whole serves; any other name is unknown', async () => {
    const h = await harness();
    const check = (service: string) => h.channel.unary('grpc.health.v1.Health/Check', { service });
    expect((await check('')).status).toBe(1);
    expect(await failure(check('etcd'))).toBe('UNKNOWN_SERVICE');
  });
});
