/** Three replicas of a service, each with a member inside: together a linearizable store. */
// #region replicas
import { EtcdNode } from '@etcd-ts/server';

const initialCluster = {
  a: 'http://127.0.0.1:7101',
  b: 'http://127.0.0.1:7102',
  c: 'http://127.0.0.1:7103',
};
const start = (name: keyof typeof initialCluster) =>
  EtcdNode.start({ name, initialCluster, listenPeerUrls: [initialCluster[name]] });

// In production each runs in a process of its own, with a dataDir.
const nodes = await Promise.all([start('a'), start('b'), start('c')]);
await nodes[0].client().put('greeting', 'hello');
console.log((await nodes[2].client().get('greeting'))?.text); // hello: reads are linearizable
await Promise.all(nodes.map((node) => node.stop()));
// #endregion
