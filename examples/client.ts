/** The client over gRPC, against etcd-ts or any etcd: transactions, optimistic updates, deadlines. */
import { EtcdNode } from '@etcd-ts/server';

const node = await EtcdNode.start({ listenClientUrls: ['http://127.0.0.1:0'] });
await node.ready();
const endpoints = node.clientUrls;
// #region client
import { compare, EtcdError, op } from '@etcd-ts/client';
import { connect } from '@etcd-ts/client/node';

const etcd = connect({ endpoints });
await etcd.put('balance', '10');

const balance = await etcd.get('balance');
const { succeeded } = await etcd
  .txn()
  .if(compare.modRevision('balance', '=', balance?.modRevision ?? 0))
  .do(op.put('balance', String(Number(balance?.text) + 5)))
  .commit({ timeoutMs: 1_000 });
console.log(succeeded, (await etcd.get('balance'))?.text);

try {
  await etcd.put('', 'no key');
} catch (error) {
  if (EtcdError.is(error)) console.log(error.code, '-', error.message);
}
await etcd.close();
// #endregion
await node.stop();
