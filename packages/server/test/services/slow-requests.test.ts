import { expect, test } from 'vitest';
import { harness } from './harness.ts';

test('an answer that takes longer than the limit is logged, a quick one is not', async () => {
  const { node, put } = await harness({ warningUnaryRequestDurationMs: 300 });
  await put('a');
  node.beforeApply = () => node.time.advance(299);
  await put('a');
  expect(node.logged).toEqual([]);
  node.beforeApply = () => node.time.advance(1_500);
  await put('a');
  expect(node.logged).toMatchObject([
    {
      level: 'warn',
      message: 'request stats',
      fields: {
        'response type': '/etcdserverpb.KV/Put',
        'time spent': '1.5s',
        remote: expect.any(String) as string,
      },
    },
  ]);
});

test('a request that fails slowly is logged, too', async () => {
  const { node, put } = await harness({ warningUnaryRequestDurationMs: 10 });
  node.beforeApply = async () => {
    await node.time.advance(20);
    throw new Error('no');
  };
  await expect(put('a')).rejects.toThrow();
  expect(node.logged.map(({ message }) => message)).toContain('request stats');
});

test('a read that takes longer than applying may is logged as etcd does', async () => {
  const { node, range } = await harness({ warningApplyDurationMs: 100 });
  node.beforeBarrier = () => node.time.advance(150);
  await range('a');
  expect(node.logged).toMatchObject([
    {
      level: 'warn',
      message: 'apply request took too long',
      fields: { took: '150ms', 'expected-duration': '100ms', prefix: 'read-only range ' },
    },
  ]);
});
