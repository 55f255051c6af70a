/** Connections that the system cannot give to a port: there is no descriptor left, or no memory. */
import { Server } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClientPort } from '../../src/listeners/node/port.ts';
import { silentLogger } from '../../src/logger.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { PeerPort } from '../../src/peers/node/peer-port.ts';
import { Gateway } from '../../src/proxy/node/gateway.ts';

const nobody = { accept: () => undefined };
const host = '127.0.0.1';

const PORTS: Readonly<Record<string, () => Promise<{ readonly close: () => Promise<void> }>>> = {
  'for clients': async () => {
    const address = { host, port: 0 };
    const port = await ClientPort.listen({ address, http1: nobody, http2: nobody });
    return { close: () => port.destroy() };
  },
  'for peers': () =>
    PeerPort.listen(`http://${host}:0`, {
      log: silentLogger,
      tls: undefined,
      serve: () => undefined,
      isPortShared: false,
    }),
  'of the gateway': () =>
    Gateway.start({
      host,
      port: 0,
      backends: [],
      retryDelayMs: 60_000,
      clock: systemClock,
      log: silentLogger,
      draw: () => 0,
    }),
};

describe.each(Object.entries(PORTS))('the port %s', (_name, open) => {
  afterEach(() => vi.restoreAllMocks());

  test('outlives every connection that cannot be accepted', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen');
    const port = await open();
    const [server] = listen.mock.instances as unknown as Server[];
    for (let i = 0; i < 3; i++) {
      const error = Object.assign(new Error('accept ENFILE'), { code: 'ENFILE' });
      expect(() => server!.emit('error', error)).not.toThrow();
    }
    await port.close();
  });
});
