/** A node inside a service: no daemon, no port, no other process. */
// #region embed
import { EtcdNode } from '@etcd-ts/server';

const node = await EtcdNode.start(); // with { dataDir: './data' } it survives the process
const etcd = node.client();

const { revision } = await etcd.put('service/config', 'first');
await etcd.put('service/config', 'second');
console.log((await etcd.get('service/config'))?.text); // second
console.log((await etcd.get('service/config', { revision }))?.text); // first

const lease = await etcd.lease.grant(10); // seconds; gone with its keys unless kept alive
await etcd.put('service/members/me', 'here', { lease: lease.id });

for await (const { type, entry } of etcd.watch(
  { prefix: 'service/' },
  { startRevision: revision },
)) {
  console.log(type, entry.keyText, entry.text, entry.modRevision);
  if (entry.lease === lease.id) break;
}
await node.stop();
// #endregion
