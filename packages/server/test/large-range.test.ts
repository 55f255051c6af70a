/**
 * A range of a great many keys holds up nobody else.
 *
 * Tried once with 1,000,000 keys of 14 bytes with values of 64, on an otherwise idle machine of two cores that the clients
 * shared: one range, of 188 MB as JSON or 1,000,000 entries over gRPC, took 13 to 14 s; the process grew from 703 to
 * 1,327 MB for the first and to 1,404 MB for the second, which stayed. Puts beside it took 5 to 10 ms at the median and
 * 668 ms at the most (1.5 and 52 ms without it). Of three such JSON ranges at a time one was answered and two were told
 * RESOURCE_EXHAUSTED (429), as the answers that wait have a limit; the process reached 1,785 MB.
 */
import { op } from '@etcd-ts/client';
import { expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';

const KEYS = 20_000;
const KEYS_PER_TXN = 1_000;

test('what is asked after it is answered before it', async () => {
  const node = await EtcdNode.start({ maxTxnOps: KEYS_PER_TXN });
  await node.ready();
  const client = node.client();
  for (let from = 0; from < KEYS; from += KEYS_PER_TXN) {
    const puts = Array.from({ length: KEYS_PER_TXN }, (_, i) => op.put(`key/${from + i}`, 'value'));
    await client
      .txn()
      .do(...puts)
      .commit();
  }
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
  await node.stop();
});
