/** Traces: what a collector receives of the calls of a node, and what the node does without one. */
import { EtcdError, RPC_TABLE } from '@etcd-ts/protocol';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { CallMetrics } from '../../src/metrics/call-metrics.ts';
import { resolveOptions } from '../../src/options.ts';
import {
  EXPORT_TIMEOUT_MS,
  MAX_BATCH_SPANS,
  OtlpTracer,
} from '../../src/tracing/node/otlp-tracer.ts';
import { silentLogger } from '../../src/logger.ts';
import { closeAll, nodeFrom, type Started } from '../flags/node-from.ts';
import { type CollectedSpan, Collector } from './collector.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const SAMPLED = `00-${TRACE}-${CALLER}-01`;
const NOT_SAMPLED = `00-${TRACE}-${CALLER}-00`;
const SERVER = 2;
const LOST = 'traces do not reach the collector; they are lost until they do';

const collectors: Collector[] = [];
afterEach(async () => {
  await closeAll();
  for (const collector of collectors.splice(0)) collector.close();
});

async function collect(answers?: boolean): Promise<Collector> {
  const collector = await Collector.listen(answers);
  collectors.push(collector);
  return collector;
}

const tracing = (address: string, rate: number): string[] => [
  '--enable-distributed-tracing',
  `--distributed-tracing-address=${address}`,
  `--distributed-tracing-sampling-rate=${rate}`,
];

/** Puts through the gateway, the trace named as gRPC metadata. */
async function putWith({ url }: Started, traceparent?: string): Promise<void> {
  const headers = traceparent === undefined ? {} : { 'grpc-metadata-traceparent': traceparent };
  const response = await fetch(`${url}/v3/kv/put`, {
    method: 'POST',
    headers: headers as Record<string, string>,
    body: '{"key":"aw=="}',
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

/** What the collector has when the node has stopped; calls that the test's own set-up makes are left out. */
async function spansOf(collector: Collector, { node }: Started): Promise<CollectedSpan[]> {
  await node.stop();
  return collector.spans.filter(({ name }) => name !== 'etcdserverpb.Cluster/MemberList');
}

test('the span of a put reaches the collector, as a part of its caller’s trace', async () => {
  const collector = await collect();
  const started = await nodeFrom(...tracing(collector.address, 0));
  const { node } = started;
  const empty = new Uint8Array(0);
  await node.channel().unary(
    'etcdserverpb.KV/Put',
    {
      key: Buffer.from('k'),
      value: empty,
      lease: 0n,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    },
    {
      metadata: new Map([
        ['traceparent', SAMPLED],
        ['tracestate', 'vendor=1'],
      ]),
    },
  );
  const spans = await spansOf(collector, started);
  expect(spans).toMatchObject([
    {
      name: 'etcdserverpb.KV/Put',
      kind: SERVER,
      traceId: TRACE,
      parentSpanId: CALLER,
      traceState: 'vendor=1',
      attributes: {
        'rpc.system': 'grpc',
        'rpc.service': 'etcdserverpb.KV',
        'rpc.method': 'Put',
        'rpc.grpc.status_code': '0',
      },
      status: { code: 0 },
    },
  ]);
  expect(spans[0]?.spanId).not.toBe(CALLER);
  expect(spans[0]?.tookNs).toBeGreaterThan(0n);
});

test('calls over gRPC and through the gateway have a span each, with the status that they end with', async () => {
  const collector = await collect();
  const started = await nodeFrom(...tracing(collector.address, 1_000_000));
  await started.client.put('k', 'v');
  await expect(started.client.lease.revoke(12n)).rejects.toThrow('requested lease not found');
  await putWith(started);
  const spans = await spansOf(collector, started);
  expect(spans.map(({ name, attributes }) => [name, attributes['rpc.grpc.status_code']])).toEqual([
    ['etcdserverpb.KV/Put', '0'],
    ['etcdserverpb.Lease/LeaseRevoke', '5'],
    ['etcdserverpb.KV/Put', '0'],
  ]);
  // A mistake of the caller is no failure of the server's.
  expect(spans.map(({ status }) => status.code)).toEqual([0, 0, 0]);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(3);
  expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual(['', '', '']);
});

test('a stream has one span, from its beginning to its end', async () => {
  const collector = await collect();
  const started = await nodeFrom(...tracing(collector.address, 1_000_000));
  const watcher = started.client.watch('k');
  await watcher.created;
  watcher.cancel();
  await started.client.close();
  const spans = await spansOf(collector, started);
  expect(spans.map(({ name }) => name)).toEqual(['etcdserverpb.Watch/Watch']);
});

test('the flags tell service and instance', async () => {
  const collector = await collect();
  const named = await nodeFrom(
    ...tracing(collector.address, 1_000_000),
    '--distributed-tracing-service-name=registry',
    '--distributed-tracing-instance-id=m1',
  );
  await putWith(named);
  await spansOf(collector, named);
  const plain = await nodeFrom(...tracing(collector.address, 1_000_000));
  await putWith(plain);
  expect((await spansOf(collector, plain)).map(({ resource }) => resource)).toEqual([
    { 'service.name': 'registry', 'service.instance.id': 'm1' },
    { 'service.name': 'etcd' },
  ]);
});

test('a rate of 0 sends only what a sampled caller is part of', async () => {
  const collector = await collect();
  const started = await nodeFrom(...tracing(collector.address, 0));
  await putWith(started);
  await putWith(started, NOT_SAMPLED);
  await putWith(started, 'malformed');
  await putWith(started, SAMPLED);
  expect((await spansOf(collector, started)).map(({ traceId }) => traceId)).toEqual([TRACE]);
});

test('a rate of all leaves out what a caller does not sample', async () => {
  const collector = await collect();
  const started = await nodeFrom(...tracing(collector.address, 1_000_000));
  await putWith(started, NOT_SAMPLED);
  expect(await spansOf(collector, started)).toEqual([]);
});

test('a rate between samples some', async () => {
  const collector = await collect();
  const tracer = tracerTo(collector.address, 500_000);
  const metrics = new CallMetrics();
  metrics.traceCalls(tracer);
  for (let i = 0; i < 400; i++) metrics.started('etcdserverpb.KV/Range', new Map()).ended();
  await tracer.close();
  // Of 400 tosses of a coin fewer than 120 or more than 280 come once in 10^15 times.
  expect(collector.spans.length).toBeGreaterThan(120);
  expect(collector.spans.length).toBeLessThan(280);
});

test('without the flag nothing is sent, and a sampled caller changes nothing', async () => {
  const collector = await collect();
  const started = await nodeFrom(
    `--distributed-tracing-address=${collector.address}`,
    '--distributed-tracing-sampling-rate=1000000',
  );
  await putWith(started, SAMPLED);
  expect(await spansOf(collector, started)).toEqual([]);
});

test('the old names of the flags do the same', async () => {
  const collector = await collect();
  const started = await nodeFrom(
    '--experimental-enable-distributed-tracing',
    `--experimental-distributed-tracing-address=${collector.address}`,
    '--experimental-distributed-tracing-sampling-rate=1000000',
    '--experimental-distributed-tracing-service-name=old',
    '--experimental-distributed-tracing-instance-id=m2',
  );
  await putWith(started);
  expect((await spansOf(collector, started))[0]?.resource).toEqual({
    'service.name': 'old',
    'service.instance.id': 'm2',
  });
});

test('a failure of the server marks the span', async () => {
  const collector = await collect();
  const tracer = tracerTo(collector.address, 1_000_000);
  const rpc = RPC_TABLE['etcdserverpb.KV/Range'] as never;
  tracer.started(rpc, new Map())?.ended(new EtcdError('INTERNAL', { message: 'broken' }));
  await tracer.close();
  const [span] = collector.spans;
  expect(span?.attributes['rpc.grpc.status_code']).toBe('13');
  expect(span?.status).toEqual({ code: 2, message: 'broken' });
});

test('a full batch leaves while the node runs', async () => {
  const collector = await collect();
  const tracer = tracerTo(collector.address, 1_000_000);
  const rpc = RPC_TABLE['etcdserverpb.KV/Range'] as never;
  for (let i = 0; i < MAX_BATCH_SPANS; i++) tracer.started(rpc, new Map())?.ended();
  await vi.waitFor(() => expect(collector.spans.length).toBe(MAX_BATCH_SPANS), { timeout: 10_000 });
  await tracer.close();
});

describe('without a collector', () => {
  test('the node serves, says once that traces are lost, and stops', async () => {
    const gone = await Collector.listen();
    const { address } = gone;
    gone.close();
    const started = await nodeFrom(...tracing(address, 1_000_000));
    const gets = Array.from({ length: 2 * MAX_BATCH_SPANS }, () => started.client.get('k'));
    await Promise.all(gets);
    await vi.waitFor(() => expect(lost(started)).toHaveLength(1), { timeout: 10_000 });
    await started.client.put('k', 'v');
    await started.node.stop();
    expect(lost(started)).toHaveLength(1);
    expect(lost(started)[0]?.fields).toMatchObject({ address });
  });

  test('that answers, the stop waits for none', async () => {
    const hanging = await collect(false);
    const started = await nodeFrom(...tracing(hanging.address, 1_000_000));
    await started.client.put('k', 'v');
    const before = performance.now();
    await started.node.stop();
    expect(performance.now() - before).toBeLessThan(EXPORT_TIMEOUT_MS);
    expect(hanging.spans).not.toEqual([]);
  });
});

describe('a rate that is none is refused in etcd’s words, where calls are traced', () => {
  const resolve = (enableDistributedTracing: boolean, rate: number) => () =>
    resolveOptions({ enableDistributedTracing, distributedTracingSamplingRatePerMillion: rate });
  const words = 'distributed tracing configurition is not valid:';

  test('below 0', () => {
    expect(resolve(true, -1)).toThrow(`${words} (tracing sampling rate must be positive)`);
  });
  test('above a million', () => {
    const message = `${words} (tracing sampling rate must be less than 1000000)`;
    expect(resolve(true, 1_000_001)).toThrow(message);
  });
  test('and only there', () => {
    expect(resolve(false, -1)).not.toThrow();
  });
});

test('an address that none can have is refused at the start', async () => {
  await expect(nodeFrom(...tracing('a b', 0))).rejects.toThrow(
    'no collector of traces can have the address "a b"',
  );
});

function lost({ said }: Started): Started['said'] {
  return said.filter(({ message }) => message === LOST);
}

function tracerTo(address: string, rate: number): OtlpTracer {
  const options = resolveOptions({
    distributedTracingAddress: address,
    distributedTracingSamplingRatePerMillion: rate,
  });
  return new OtlpTracer(options, silentLogger);
}
