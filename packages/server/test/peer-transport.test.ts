import { describe, test } from 'vitest';
import { silentLogger } from '../src/logger.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';
import { TcpTransport } from '../src/peers/node/tcp-transport.ts';
import { peerTransportSuite, type TransportWorld } from '../src/testing/peer-transport-suite.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function inMemory(): TransportWorld {
  const network = new InMemoryNetwork(systemClock);
  let made = 0;
  return {
    turn,
    make: () => {
      made += 1;
      const url = `memory://${made}`;
      return { transport: network.transport(), url: () => url };
    },
  };
}

function tcp(): TransportWorld {
  return {
    turn,
    make: () => {
      const transport = new TcpTransport({
        listenUrls: ['http://127.0.0.1:0'],
        clock: systemClock,
        log: silentLogger,
      });
      return { transport, url: () => `http://127.0.0.1:${transport.addresses[0]?.port}` };
    },
  };
}

describe('in memory', () => {
  for (const { name, run } of peerTransportSuite(inMemory)) test(name, run);
});

describe('over TCP', () => {
  for (const { name, run } of peerTransportSuite(tcp)) test(name, run);
});
