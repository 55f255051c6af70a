import { utf8 } from '@etcd-ts/base';
import { compare, type EtcdClient, op } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';
import { AlarmAction, AlarmType, RangeRequest, WatchRequest } from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../../src/etcd-node.ts';
import { IN_PROCESS_STREAM_MESSAGES } from '../../src/listeners/in-process-stream.ts';
import { MAX_CLIENT_VERSIONS } from '../../src/metrics/call-metrics.ts';
import type { EtcdNodeOptions } from '../../src/options.ts';
import { readExposition, valueOf } from './exposition.ts';

let node: EtcdNode;

afterEach(async () => {
  await node.stop();
});

async function start(options: EtcdNodeOptions = {}): Promise<EtcdClient> {
  node = await EtcdNode.start(options);
  await node.ready();
  // The version of the cluster goes through the log too: later than this nothing but a test's own work does.
  await reaches('etcd_cluster_version', 1, { cluster_version: '3.6' });
  return node.client();
}

/** How far metrics move while something is done. */
async function moved(
  names: readonly (string | readonly [string, Record<string, string>])[],
  work: () => Promise<unknown>,
): Promise<number[]> {
  const before = await node.metrics();
  await work();
  const after = await node.metrics();
  return names.map((each) => {
    const [name, labels] = typeof each === 'string' ? [each, {}] : each;
    return valueOf(after, name, labels) - valueOf(before, name, labels);
  });
}

/** Resolves when a metric has this value. */
async function reaches(
  name: string,
  value: number,
  labels: Record<string, string> = {},
): Promise<void> {
  for (;;) {
    if (valueOf(await node.metrics(), name, labels) === value) return;
    await turn();
  }
}

describe('metrics of the key space move', () => {
  test('with puts, deletes, ranges and transactions', async () => {
    const client = await start();
    const names = [
      'etcd_mvcc_put_total',
      'etcd_debugging_mvcc_total_put_size_in_bytes',
      'etcd_mvcc_delete_total',
      'etcd_mvcc_range_total',
      'etcd_mvcc_txn_total',
      'etcd_debugging_mvcc_keys_total',
      'etcd_debugging_mvcc_current_revision',
    ];
    expect(await moved(names, () => client.put('key', 'value'))).toEqual([1, 8, 0, 0, 0, 1, 1]);
    expect(await moved(names, () => client.get('key'))).toEqual([0, 0, 0, 1, 0, 0, 0]);
    expect(await moved(names, () => client.delete('key'))).toEqual([0, 0, 1, 0, 0, -1, 1]);
    const txn = client.txn().if(compare.missing('absent')).do(op.put('a', 'bc'), op.get('a'));
    expect(await moved(names, () => txn.commit())).toEqual([1, 3, 0, 2, 1, 1, 1]);
    const read = client.txn().do(op.get('a'), op.get('b'));
    expect(await moved(names, () => read.commit())).toEqual([0, 0, 0, 2, 1, 0, 0]);
  });

  test('with the size of the store', async () => {
    const client = await start();
    const names = ['etcd_mvcc_db_total_size_in_bytes', 'etcd_mvcc_db_total_size_in_use_in_bytes'];
    const grown = await moved(names, () => client.put('key', 'v'.repeat(10_000)));
    for (const bytes of grown) expect(bytes).toBeGreaterThan(10_000);
  });

  test('with compactions', async () => {
    const client = await start();
    for (let i = 0; i < 5; i++) await client.put('key', String(i));
    const [keys, pauses, indexPauses, totals, revision] = await moved(
      [
        'etcd_debugging_mvcc_db_compaction_keys_total',
        'etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds_count',
        'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds_count',
        'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count',
        'etcd_debugging_mvcc_compact_revision',
      ],
      () => client.compact(6, { physical: true }),
    );
    expect([keys, totals, revision]).toEqual([4, 1, 7]);
    expect(pauses).toBeGreaterThan(0);
    expect(indexPauses).toBe(pauses);
    const last = valueOf(await node.metrics(), 'etcd_debugging_mvcc_db_compaction_last');
    expect(Math.abs(Date.now() / 1000 - last)).toBeLessThan(600);
  });

  test('with watch streams, watchers and what they are told', async () => {
    const client = await start();
    const watcher = client.watch('k');
    await reaches('etcd_debugging_mvcc_watch_stream_total', 1);
    await reaches('etcd_debugging_mvcc_watcher_total', 1);
    await client.put('k', 'v');
    await client.put('elsewhere', 'v');
    await reaches('etcd_debugging_mvcc_events_total', 1);
    watcher.cancel();
    await reaches('etcd_debugging_mvcc_watcher_total', 0);
  });

  test('with a watcher whose client does not read', async () => {
    const client = await start();
    const channel = node.channel();
    const call = channel.stream('etcdserverpb.Watch/Watch');
    const value = { key: utf8('k'), rangeEnd: utf8('l'), startRevision: 0 };
    call.send(
      WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value: { ...value } } }),
    );
    await reaches('etcd_debugging_mvcc_watcher_total', 1);
    for (let i = 0; i < 2 * IN_PROCESS_STREAM_MESSAGES; i++) await client.put('k', String(i));
    await reaches('etcd_debugging_mvcc_slow_watcher_total', 1);
    await reaches('etcd_debugging_mvcc_pending_events_total', 1);
    call.cancel();
    await reaches('etcd_debugging_mvcc_watch_stream_total', 0);
    await reaches('etcd_debugging_mvcc_slow_watcher_total', 0);
    await reaches('etcd_debugging_mvcc_pending_events_total', 0);
  });

  test('with leases', async () => {
    const client = await start({ electionTimeoutMs: 500, heartbeatIntervalMs: 50 });
    const names = [
      'etcd_debugging_lease_granted_total',
      'etcd_debugging_lease_renewed_total',
      'etcd_debugging_lease_revoked_total',
      'etcd_debugging_lease_ttl_total_count',
      ['etcd_debugging_lease_ttl_total_bucket', { le: '64' }],
      'etcd_debugging_server_lease_expired_total',
      'etcd_mvcc_delete_total',
    ] as const;
    const work = async (): Promise<void> => {
      const lease = await client.lease.grant(60);
      await client.put('k', 'v', { lease: lease.id });
      await client.lease.keepAliveOnce(lease.id);
      await client.lease.revoke(lease.id);
    };
    expect(await moved(names, work)).toEqual([1, 1, 1, 1, 1, 0, 1]);
    await client.lease.grant(1);
    await reaches('etcd_debugging_server_lease_expired_total', 1);
  });
});

describe('metrics of the member move', () => {
  test('with proposals, what was committed and what was applied', async () => {
    const client = await start();
    const names = [
      'etcd_server_proposals_committed_total',
      'etcd_server_proposals_applied_total',
      'etcd_server_proposals_failed_total',
      ['etcd_server_apply_duration_seconds_count', { op: 'Put', version: 'v3', success: 'true' }],
      ['etcd_server_apply_duration_seconds_count', { op: 'Put', success: 'false' }],
      ['etcd_server_range_duration_seconds_count', { success: 'true' }],
    ] as const;
    const work = async (): Promise<void> => {
      await client.put('k', 'v');
      await client.put('k', 'v', { lease: 99n }).catch(() => undefined);
      await client.get('k');
    };
    // The member proposes by itself as well: the cluster's version, once.
    const [committed = 0, applied = 0, ...rest] = await moved(names, work);
    expect(committed).toBeGreaterThanOrEqual(2);
    expect(applied).toBeGreaterThanOrEqual(2);
    expect(rest).toEqual([0, 1, 1, 1]);
    while (valueOf(await node.metrics(), 'etcd_cluster_version') === 0) await turn();
    await reaches('etcd_server_proposals_pending', 0);
    const page = await node.metrics();
    expect(valueOf(page, 'etcd_server_has_leader')).toBe(1);
    expect(valueOf(page, 'etcd_server_is_leader')).toBe(1);
    expect(valueOf(page, 'etcd_server_is_learner')).toBe(0);
    expect(valueOf(page, 'etcd_server_leader_changes_seen_total')).toBe(1);
    expect(valueOf(page, 'etcd_server_quota_backend_bytes')).toBe(2 * 1024 ** 3);
    const id = node.memberId.toString(16);
    expect(valueOf(page, 'etcd_server_id', { server_id: id })).toBe(1);
    expect(valueOf(page, 'etcd_server_version', { server_version: '3.6.0' })).toBe(1);
    expect(valueOf(page, 'etcd_cluster_version', { cluster_version: '3.6' })).toBe(1);
    expect(valueOf(page, 'os_fd_used')).toBeGreaterThan(0);
    expect(valueOf(page, 'os_fd_limit')).toBeGreaterThan(0);
  });

  test('with promotions of learners, and the reasons why there was none, in the words of etcd', async () => {
    const client = await start();
    const failures = (Reason: string) =>
      ['etcd_server_learner_promote_failures', { Reason }] as const;
    const names = [
      failures('membership: ID not found'),
      failures('membership: can only promote a learner member'),
      failures('etcdserver: can only promote a learner member which is in sync with leader'),
      'etcd_server_learner_promote_successes',
    ] as const;
    const promote = (id: bigint): Promise<unknown> =>
      client.cluster.promote(id).catch(() => undefined);
    const work = async (): Promise<void> => {
      await promote(1n);
      await promote(node.memberId);
      const added = await client.cluster.add(['http://127.0.0.1:1'], { learner: true });
      await promote(added.member?.ID ?? 0n);
      await promote(added.member?.ID ?? 0n);
    };
    expect(await moved(names, work)).toEqual([1, 1, 2, 0]);
  });

  test('with entries that take longer to apply than is usual', async () => {
    const client = await start({ warningApplyDurationMs: 0 });
    const [slow = 0] = await moved(['etcd_server_slow_apply_total'], () => client.put('k', 'v'));
    expect(slow).toBeGreaterThanOrEqual(1);
  });

  test('with the log, the database, its hashes and its snapshots', async () => {
    const client = await start();
    const names = [
      'etcd_disk_wal_fsync_duration_seconds_count',
      'etcd_disk_wal_write_duration_seconds_count',
      'etcd_disk_wal_write_bytes_total',
    ];
    const [syncs = 0, writes = 0, bytes = 0] = await moved(names, () =>
      client.put('k', 'v'.repeat(5_000)),
    );
    expect(syncs).toBeGreaterThanOrEqual(1);
    expect(writes).toBeGreaterThanOrEqual(1);
    expect(bytes).toBeGreaterThan(5_000);
    const maintained = [
      'etcd_mvcc_hash_duration_seconds_count',
      'etcd_mvcc_hash_rev_duration_seconds_count',
      'etcd_disk_backend_defrag_duration_seconds_count',
      'etcd_disk_backend_snapshot_duration_seconds_count',
    ];
    const work = async (): Promise<void> => {
      await client.maintenance.hash();
      await client.maintenance.hashKV();
      await client.maintenance.defragment();
      for await (const _ of client.maintenance.snapshot()) continue;
    };
    expect(await moved(maintained, work)).toEqual([1, 1, 1, 1]);
    const commits = 'etcd_disk_backend_commit_duration_seconds_count';
    while (valueOf(await node.metrics(), commits) === 0) await turn();
  });

  test('with alarms and users', async () => {
    const client = await start();
    const alarm = { server_id: node.memberId.toString(16), alarm_type: 'NOSPACE' };
    const raised = ['etcd_debugging_server_alarms', alarm] as const;
    const raise = (): Promise<unknown> =>
      node.channel().unary('etcdserverpb.Maintenance/Alarm', {
        action: AlarmAction.ACTIVATE,
        memberID: node.memberId,
        alarm: AlarmType.NOSPACE,
      });
    expect(await moved([raised], raise)).toEqual([1]);
    expect(
      await moved(['etcd_debugging_auth_revision'], () => client.auth.addRole('reader')),
    ).toEqual([1]);
  });

  test('with checks of its health', async () => {
    await start({ listenClientUrls: ['http://127.0.0.1:0'] });
    const names = [
      'etcd_server_health_success',
      'etcd_server_health_failures',
      [
        'etcd_server_healthchecks_total',
        { type: 'readyz', name: 'linearizable_read', status: 'success' },
      ],
      ['etcd_server_healthcheck', { type: 'livez', name: 'serializable_read' }],
    ] as const;
    const url = node.clientUrls[0] ?? '';
    const work = async (): Promise<void> => {
      for (const path of ['/health', '/livez', '/readyz']) await fetch(url + path);
    };
    expect(await moved(names, work)).toEqual([1, 0, 1, 1]);
  });
});

describe('metrics of calls move', () => {
  const RANGE = { grpc_service: 'etcdserverpb.KV', grpc_method: 'Range', grpc_type: 'unary' };
  const WATCH = { grpc_service: 'etcdserverpb.Watch', grpc_method: 'Watch' };

  test('through every door, with status and duration', async () => {
    await start({ listenClientUrls: ['http://127.0.0.1:0'], metrics: 'extensive' });
    const url = node.clientUrls[0] ?? '';
    const overGrpc = connect({ endpoints: [url] });
    const work = async (): Promise<void> => {
      await node.client().get('k');
      await overGrpc.get('k');
      await overGrpc.get('k', { revision: 99 }).catch(() => undefined);
      await fetch(`${url}/v3/kv/range`, { method: 'POST', body: '{"key":"aw=="}' });
      await fetch(`${url}/v3/kv/range`, { method: 'POST', body: '{}' });
    };
    const names = [
      ['grpc_server_started_total', RANGE],
      ['grpc_server_handled_total', { ...RANGE, grpc_code: 'OK' }],
      ['grpc_server_handled_total', { ...RANGE, grpc_code: 'OutOfRange' }],
      ['grpc_server_handled_total', { ...RANGE, grpc_code: 'InvalidArgument' }],
      ['grpc_server_msg_received_total', RANGE],
      ['grpc_server_msg_sent_total', RANGE],
      ['grpc_server_handling_seconds_count', RANGE],
    ] as const;
    expect(await moved(names, work)).toEqual([5, 3, 1, 1, 5, 3, 5]);
    await overGrpc.close();
  });

  test('with streams, which end as cancelled when their client goes', async () => {
    const client = await start();
    const watcher = client.watch('k');
    await reaches('etcd_debugging_mvcc_watcher_total', 1);
    await client.put('k', 'v');
    const page = await node.metrics();
    expect(valueOf(page, 'grpc_server_started_total', WATCH)).toBe(1);
    expect(valueOf(page, 'grpc_server_msg_received_total', WATCH)).toBe(1);
    expect(valueOf(page, 'grpc_server_handled_total', WATCH)).toBe(0);
    watcher.cancel();
    await client.close();
    const cancelled = { ...WATCH, grpc_code: 'Canceled' };
    while (valueOf(await node.metrics(), 'grpc_server_handled_total', cancelled) === 0)
      await turn();
  });

  test('with bytes of gRPC and versions of clients, of which only so many are told apart', async () => {
    await start({ listenClientUrls: ['http://127.0.0.1:0'] });
    const overGrpc = connect({ endpoints: node.clientUrls });
    const bytes = [
      'etcd_network_client_grpc_received_bytes_total',
      'etcd_network_client_grpc_sent_bytes_total',
    ];
    const [received = 0, sent = 0] = await moved(bytes, () => overGrpc.put('k', 'v'.repeat(1_000)));
    expect(received).toBeGreaterThan(1_000);
    expect(received).toBeLessThan(1_100);
    expect(sent).toBeGreaterThan(10);
    await overGrpc.close();
    const channel = node.channel();
    for (let i = 0; i < 2 * MAX_CLIENT_VERSIONS; i++) {
      const metadata = new Map([['client-api-version', `9.${i}`]]);
      await channel.unary('etcdserverpb.KV/Range', RangeRequest.fromPartial({ key: utf8('k') }), {
        metadata,
      });
    }
    const page = await node.metrics();
    const versions = readExposition(page).get('etcd_server_client_requests_total')?.samples ?? [];
    expect(new Set(versions.map(({ labels }) => labels['client_api_version'])).size).toBe(
      MAX_CLIENT_VERSIONS + 1,
    );
    const first = { type: 'unary', client_api_version: '9.0' };
    expect(valueOf(page, 'etcd_server_client_requests_total', first)).toBe(1);
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
