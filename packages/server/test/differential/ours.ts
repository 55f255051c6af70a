/** Ours under comparison: the services alone, on a log that is applied as it is written, or a whole member over gRPC. */
import { GrpcChannel } from '@etcd-ts/client/node';
import { EtcdNode, type EtcdNodeOptions } from '../../src/index.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { Services } from '../../src/services/services.ts';
import { FakeNode } from '../services/fake-node.ts';
import type { Target } from './target.ts';
import { SURROUNDINGS } from '../services/surroundings.ts';

/** Starts our services, in process. */
export async function startServices(): Promise<Target> {
  const node = await FakeNode.start({ clock: 'real' });
  const services = new Services(node, SURROUNDINGS);
  const channel = new InProcessChannel(services.handlers, node.clock);
  return {
    channel,
    stop: async () => {
      await channel.close();
      services.stop();
    },
  };
}

/** Starts a member of its own cluster, in memory, that listens on a port of the system's choice. */
export async function startMember(options: EtcdNodeOptions = {}): Promise<Target> {
  const node = await EtcdNode.start({
    ...options,
    listenClientUrls: ['http://127.0.0.1:0'],
    bcryptCost: 4,
  });
  const [url] = node.clientUrls;
  if (url === undefined) throw new Error('the member listens nowhere');
  const channel = new GrpcChannel(new URL(url).host);
  return {
    channel,
    clientUrl: url,
    stop: async () => {
      await channel.close();
      await node.stop();
    },
  };
}
