/** Our services in process, on a store in memory and a log that is applied as it is written. */
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { FakeNode } from '../services/fake-node.ts';
import { Services } from '../../src/services/services.ts';
import type { Target } from './target.ts';

/** Starts our services. */
export async function startOurs(): Promise<Target> {
  const node = await FakeNode.start({ clock: 'real' });
  const services = new Services(node);
  const channel = new InProcessChannel(services.handlers, node.clock);
  return {
    channel,
    stop: async () => {
      await channel.close();
      services.stop();
    },
  };
}
