import { GrpcChannel } from '@etcd-ts/client/node';
import { channelSuite } from '@etcd-ts/protocol/testing';
import { describe, test } from 'vitest';
import { listenForClients } from '../../src/listeners/node/client-listener.ts';
import { realClock } from './real-clock.ts';

describe('the channel over gRPC', () => {
  for (const claim of channelSuite) {
    test(claim.name, () =>
      claim.run(async (handlers) => {
        const listener = await listenForClients({
          urls: ['http://127.0.0.1:0'],
          handlers,
          clock: realClock,
          maxRequestBytes: 1_572_864,
          routes: new Map(),
        });
        const channel = new GrpcChannel(listener.urls[0] ?? '');
        return {
          channel,
          passTime: () => undefined,
          close: async () => {
            await channel.close();
            await listener.close(0);
          },
        };
      }),
    );
  }
});
