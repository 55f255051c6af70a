/** What is counted elsewhere, and seen to move there, stands on the page under etcd's name; and nothing on it never moves. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { once } from 'node:events';
import { memberId } from '@etcd-ts/base';
import { RangeRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { EtcdNode } from '../../src/etcd-node.ts';
import type { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { metricsPage } from '../../src/metrics/node/metrics-page.ts';
import { FakeNode } from '../services/fake-node.ts';
import { readExposition, valueOf } from './exposition.ts';

const PEER = memberId(0xb2n);
const FROM = { From: 'b2' };
const TO = { To: 'b2' };
const BOTH = { Local: 'a1', Remote: 'b2' };

type Count = readonly [
  name: string,
  labels: Record<string, string>,
  change: (metrics: NodeMetrics) => unknown,
];

/** By what each moves by one. */
const COUNTS: readonly Count[] = [
  ['etcd_network_disconnected_peers_total', BOTH, (m) => m.traffic.of(PEER).disconnects++],
  ['etcd_network_peer_sent_bytes_total', TO, (m) => m.traffic.of(PEER).sentBytes++],
  ['etcd_network_peer_received_bytes_total', FROM, (m) => m.traffic.of(PEER).receivedBytes++],
  ['etcd_network_peer_sent_failures_total', TO, (m) => m.traffic.of(PEER).sendFailures++],
  ['etcd_network_peer_received_failures_total', FROM, (m) => m.traffic.of(PEER).receiveFailures++],
  [
    'etcd_network_peer_round_trip_time_seconds_count',
    TO,
    (m) => m.traffic.of(PEER).roundTripSeconds.observe(0.1),
  ],
  ['etcd_network_snapshot_send_success', TO, (m) => m.traffic.of(PEER).snapshotsSent.successes++],
  ['etcd_network_snapshot_send_failures', TO, (m) => m.traffic.of(PEER).snapshotsSent.failures++],
  [
    'etcd_network_snapshot_send_inflights_total',
    TO,
    (m) => m.traffic.of(PEER).snapshotsSent.inFlight++,
  ],
  [
    'etcd_network_snapshot_send_total_duration_seconds_count',
    TO,
    (m) => m.traffic.of(PEER).snapshotsSent.seconds.observe(1),
  ],
  [
    'etcd_network_snapshot_receive_success',
    FROM,
    (m) => m.traffic.of(PEER).snapshotsReceived.successes++,
  ],
  [
    'etcd_network_snapshot_receive_failures',
    FROM,
    (m) => m.traffic.of(PEER).snapshotsReceived.failures++,
  ],
  [
    'etcd_network_snapshot_receive_inflights_total',
    FROM,
    (m) => m.traffic.of(PEER).snapshotsReceived.inFlight++,
  ],
  [
    'etcd_network_snapshot_receive_total_duration_seconds_count',
    FROM,
    (m) => m.traffic.of(PEER).snapshotsReceived.seconds.observe(1),
  ],
  ['etcd_server_heartbeat_send_failures_total', {}, (m) => m.lateHeartbeats++],
  ['etcd_server_read_indexes_failed_total', {}, (m) => m.readIndexFailed()],
  ['etcd_server_slow_read_indexes_total', {}, (m) => m.readIndexAskedAgain()],
  ['etcd_server_snapshot_apply_in_progress_total', {}, (m) => (m.isApplyingSnapshot = true)],
  ['etcd_disk_defrag_inflight', {}, (m) => (m.isDefragmenting = true)],
  ['etcd_snap_db_fsync_duration_seconds_count', {}, (m) => m.backendSyncSeconds.observe(0.1)],
  ['etcd_snap_db_save_total_duration_seconds_count', {}, (m) => m.databaseSaveSeconds.observe(1)],
  ['etcd_debugging_mvcc_range_total', {}, (m) => m.ranged(1, true)],
  [
    'etcd_debugging_disk_backend_commit_write_duration_seconds_count',
    {},
    (m) => m.backendCommitSeconds.observe(0.1),
  ],
];

test.each(COUNTS)('%s', async (name, labels, change) => {
  const node = await FakeNode.start();
  node.metrics.traffic.of(PEER);
  const before = await metricsPage(node);
  expect(readExposition(before).size).toBeGreaterThan(80);
  change(node.metrics);
  const after = await metricsPage(node);
  expect(valueOf(after, name, labels) - valueOf(before, name, labels)).toBe(1);
});

test('etcd_network_known_peers and etcd_network_active_peers', async () => {
  const node = await FakeNode.start();
  const pages = [await metricsPage(node)];
  node.state.membership.applyChange({
    transition: 'auto',
    steps: [{ op: 'addVoter', node: PEER }],
    context: new Uint8Array(),
  });
  pages.push(await metricsPage(node));
  node.connected.set(PEER, 1);
  pages.push(await metricsPage(node));
  const values = (name: string): number[] => pages.map((page) => valueOf(page, name));
  expect(values('etcd_network_known_peers')).toEqual([0, 1, 1]);
  expect(values('etcd_network_active_peers')).toEqual([0, 0, 1]);
});

test('etcd_mvcc_db_open_read_transactions', async () => {
  const node = await FakeNode.start();
  const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
  const plan = node.state.store.rangePlan(RangeRequest.fromPartial(all));
  expect(valueOf(await metricsPage(node), 'etcd_mvcc_db_open_read_transactions')).toBe(1);
  plan.close();
  expect(valueOf(await metricsPage(node), 'etcd_mvcc_db_open_read_transactions')).toBe(0);
});

describe('etcd_network_server_stream_failures_total', () => {
  test.each([
    ['Watch/Watch', 'watch', 1],
    ['Lease/LeaseKeepAlive', 'lease-keepalive', 1],
    ['KV/Range', '', 0],
  ])('a client of %s that sends what is no message', async (method, API, moves) => {
    const node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
    const session: ClientHttp2Session = connect(node.clientUrls[0] ?? '');
    const call = session.request({
      ':method': 'POST',
      ':path': `/etcdserverpb.${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    call.resume();
    call.write(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f]));
    await once(call, 'close');
    session.close();
    const page = await node.metrics();
    await node.stop();
    const labels = { Type: 'receive', ...(API === '' ? {} : { API }) };
    expect(valueOf(page, 'etcd_network_server_stream_failures_total', labels)).toBe(moves);
  });
});

/** Of the program, not of what it does. */
const FIXED = ['etcd_server_go_version'];

test('no metric is on the page that no test sees move', async () => {
  const node = await FakeNode.start();
  const names = [...readExposition(await metricsPage(node)).keys()];
  const folder = new URL('.', import.meta.url);
  const tests = readdirSync(folder)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('\n');
  const own = names.filter((name) => !/^(?:process|nodejs)_/.test(name));
  const unseen = own.filter((name) => !new RegExp(`${name}(?:_count)?'`).test(tests));
  expect(unseen.filter((name) => !FIXED.includes(name))).toEqual([]);
});
