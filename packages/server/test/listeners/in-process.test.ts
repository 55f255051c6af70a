import { channelSuite } from '@etcd-ts/protocol/testing';
import { describe, test } from 'vitest';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { ManualClock } from './manual-clock.ts';

describe('the channel in process', () => {
  for (const claim of channelSuite) {
    test(claim.name, () =>
      claim.run((handlers) => {
        const clock = new ManualClock();
        const channel = new InProcessChannel(handlers, clock);
        return Promise.resolve({
          channel,
          passTime: (ms: number) => clock.pass(ms),
          close: () => channel.close(),
        });
      }),
    );
  }
});
