/** The gateway: a port whose connections are forwarded to the members of a cluster, byte for byte. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { listenFailure } from '../../bootstrap/urls.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { type Backend, Backends } from '../backends.ts';

/** A backend that does not answer within so long is passed over, in milliseconds. */
export const GATEWAY_DIAL_TIMEOUT_MS = 5_000;

/** When one side has hung up, what it said last has so long to reach the other without any progress, in milliseconds. */
export const GATEWAY_LINGER_MS = 30_000;

/** Connections at once; one more is hung up on. */
export const MAX_GATEWAY_CONNECTIONS = 65_536;

/** What a gateway is told. */
export interface GatewayOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly backends: readonly Backend[];
  /** Pause before a backend that could not be reached is tried again. etcd --retry-delay. */
  readonly retryDelayMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
}

/** A gateway that listens. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #backends: Backends;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #timer: Timer | undefined;

  private constructor(options: GatewayOptions) {
    this.#options = options;
    this.#backends = new Backends(options.backends);
    this.#server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true });
    this.#server.maxConnections = MAX_GATEWAY_CONNECTIONS;
    this.#server.on('connection', (socket) => void this.#forward(socket));
  }

  /** @throws StartError LISTEN_FAILED. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options);
    const { host, port, log, backends } = options;
    await new Promise<void>((resolve, reject) => {
      gateway.#server.once('error', (error) => reject(listenFailure({ host, port }, error)));
      gateway.#server.listen({ host, port }, resolve);
    });
    // One that cannot be accepted, with no descriptor left, say, is lost; the gateway goes on.
    gateway.#server.on('error', (error) => log.warn('cannot accept a connection', { error }));
    gateway.#watch();
    log.info('ready to proxy client requests', {
      endpoints: backends.map(({ address }) => address),
    });
    return gateway;
  }

  /** `host:port` that it listens on. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Hangs up on everyone. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #forward(client: Socket): Promise<void> {
    this.#track(client);
    const server = await this.#reach(client);
    if (server === undefined || client.destroyed) {
      client.destroy();
      server?.destroy();
      return;
    }
    client.pipe(server);
    server.pipe(client);
    client.once('close', (hadError) => hangUp(server, hadError));
    server.once('close', (hadError) => hangUp(client, hadError));
  }

  /** A connection to the first backend that can be reached. */
  async #reach(client: Socket): Promise<Socket | undefined> {
    const { draw, log, retryDelayMs } = this.#options;
    while (!client.destroyed) {
      const backend = this.#backends.pick(draw);
      if (backend === undefined) return undefined;
      try {
        return await this.#dial(backend);
      } catch (error) {
        if (!this.#backends.deactivate(backend)) continue;
        log.warn('deactivated endpoint', {
          address: backend.address,
          interval: `${retryDelayMs / 1_000}s`,
          error,
        });
      }
    }
    return undefined;
  }

  #dial({ address }: Backend): Promise<Socket> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    const port = Number(address.slice(colon + 1));
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true, allowHalfOpen: true });
      this.#track(socket);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error(`dial tcp ${address}: the gateway is closed`)));
      socket.setTimeout(GATEWAY_DIAL_TIMEOUT_MS, () => {
        socket.destroy(new Error(`dial tcp ${address}: i/o timeout`));
      });
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.removeAllListeners('timeout');
        resolve(socket);
      });
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Tries those that could not be reached again and again, each once at a time. */
  #watch(): void {
    const { clock, retryDelayMs } = this.#options;
    this.#timer = clock.after(retryDelayMs, () => {
      const tries = this.#backends.inactive.map((backend) => this.#tryAgain(backend));
      void Promise.all(tries).then(() => {
        if (this.#server.listening) this.#watch();
      });
    });
  }

  /** Never rejects. */
  async #tryAgain(backend: Backend): Promise<void> {
    const { log, retryDelayMs } = this.#options;
    const fields = { address: backend.address, interval: `${retryDelayMs / 1_000}s` };
    try {
      (await this.#dial(backend)).destroy();
      this.#backends.activate(backend);
      log.info('activated endpoint', fields);
    } catch (error) {
      log.warn('failed to activate endpoint (stay inactive for another interval)', {
        ...fields,
        error,
      });
    }
  }
}

/** The other side has gone: what it said still leaves, unless it broke off. */
export function hangUp(socket: Socket, isBroken: boolean): void {
  if (isBroken) return void socket.destroy();
  socket.setTimeout(GATEWAY_LINGER_MS, () => socket.destroy());
  socket.destroySoon();
}
