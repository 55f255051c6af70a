/** A TCP proxy whose connections can be broken: between two transports it is the network that fails. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** See the file's head. */
export class BreakingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target Where connections go; asked for each. */
  static async open(target: () => number): Promise<BreakingProxy> {
    const server = createServer();
    const proxy = new BreakingProxy(server);
    server.on('connection', (near) => {
      const far = connect(target(), '127.0.0.1');
      proxy.#keep(near, far);
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** False from {@link close} on, and when every connection is gone. */
  get isOpen(): boolean {
    return this.#server.listening || this.#sockets.size > 0;
  }

  /** Resets every connection. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.breakAll();
    this.#server.close();
  }

  #keep(...sockets: readonly Socket[]): void {
    for (const socket of sockets) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        for (const other of sockets) other.destroy();
      });
    }
  }
}
