/**
 * A range of a great many keys holds up nobody else.
 *
 * `npm run bench -- large-range` measures it with a million.
 */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { utf8 } from '@etcd-ts/base';
import { type EtcdClient, op } from '@etcd-ts/client';
import { GrpcChannel } from '@etcd-ts/client/node';
import { RangeRequest, RangeResponse } from '@etcd-ts/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import { messageToJson } from '../src/listeners/gateway/to-json.ts';

const KEYS = 20_000;
const KEYS_PER_TXN = 1_000;

let node: EtcdNode;
let client: EtcdClient;

beforeAll(async () => {
  node = await EtcdNode.start({
    maxTxnOps: KEYS_PER_TXN,
    listenClientUrls: ['http://127.0.0.1:0'],
  });
  await node.ready();
  client = node.client();
  for (let from = 0; from < KEYS; from += KEYS_PER_TXN) {
    const puts = Array.from({ length: KEYS_PER_TXN }, (_, i) => op.put(`key/${from + i}`, 'value'));
    await client
      .txn()
      .do(...puts)
      .commit();
  }
});
afterAll(() => node.stop());

test('what is asked after it is answered before it', async () => {
  const order: string[] = [];
  const range = client.getAll({ prefix: 'key/' }).then(({ entries }) => {
    order.push('range');
    return entries.length;
  });
  await client.put('elsewhere', 'v');
  order.push('put');
  expect((await client.get('key/7'))?.text).toBe('value');
  order.push('get');
  expect(await range).toBe(KEYS);
  expect(order).toEqual(['put', 'get', 'range']);
});

test('it is the same over gRPC, as JSON, as a stream and in process', async () => {
  const range = RangeRequest.fromPartial({ key: utf8('key/'), rangeEnd: utf8('key0') });
  const whole = await node.channel().unary('etcdserverpb.KV/Range', range);
  expect(whole.kvs.length).toBe(KEYS);
  const [url = ''] = node.clientUrls;
  const channel = new GrpcChannel(url);
  expect(await channel.unary('etcdserverpb.KV/Range', range)).toEqual(whole);
  await channel.close();
  const response = await fetch(`${url}/v3/kv/range`, {
    method: 'POST',
    body: JSON.stringify({ key: base64(range.key), range_end: base64(range.rangeEnd) }),
  });
  expect(await response.text()).toBe(messageToJson(RangeResponse, whole));
});

test('a client that goes in the middle of its JSON leaves nothing open', async () => {
  const { hostname, port } = new URL(node.clientUrls[0] ?? '');
  const body = JSON.stringify({ key: 'AA==', range_end: 'AA==' });
  const ask = request({ host: hostname, port, method: 'POST', path: '/v3/kv/range', agent: false });
  ask.end(body);
  const [answer] = (await once(ask, 'response')) as [IncomingMessage];
  expect(answer.headers['transfer-encoding']).toBe('chunked');
  await once(answer, 'data');
  answer.destroy();
  // The next range waits for no one; the node's stop at the end would wait for what is still read.
  expect((await client.getAll({ prefix: 'key/' })).entries.length).toBe(KEYS);
});

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
