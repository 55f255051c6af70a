/**
 * One TCP port for everything: the first bytes of a connection decide who serves it.
 *
 * An HTTP/2 client begins with `PRI * HTTP/2.0`; no HTTP/1 method begins with `PRI`, so three bytes tell.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { SocketAddress } from '../../bootstrap/urls.ts';
import { listenAddress } from '../../node/listen-address.ts';

/** Who serves a connection from its first byte on. */
export interface ConnectionServer {
  accept(connection: Socket): void;
}

/** What a port may be told. */
export interface PortOptions {
  /** Port 0 lets the system choose. */
  readonly address: SocketAddress;
  /** Several processes may listen on the port. @defaultValue false */
  readonly isPortShared?: boolean | undefined;
  readonly http2: ConnectionServer;
  readonly http1: ConnectionServer;
  /** Shakes hands before anybody is served; absent: no TLS. */
  readonly tls?: ((serve: (connection: Socket) => void) => TlsGuard) | undefined;
}

/** What stands before a port of TLS. */
export interface TlsGuard extends ConnectionServer {
  close(): void;
}

/** Milliseconds for the first three bytes; whoever says nothing is hung up on. */
export const FIRST_BYTES_TIMEOUT_MS = 60_000;

/** Silence after which the system asks whether the other host is still there (Go's default is 15 s, etcd's 30 s). */
const KEEP_ALIVE_DELAY_MS = 30_000;

const HTTP2_START = [0x50, 0x52, 0x49];

/** A listening port. */
export class ClientPort {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #guard: TlsGuard | undefined;

  private constructor(server: Server, options: PortOptions) {
    this.#server = server;
    this.#guard = options.tls?.((connection) => decide(connection, options));
  }

  /** @throws The error of the system, such as EADDRINUSE, when the address cannot be listened on. */
  static async listen(options: PortOptions): Promise<ClientPort> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    });
    const port = new ClientPort(server, options);
    server.on('connection', (socket) => port.#onConnection(socket, options));
    const where = await listenAddress(options.address, options.isPortShared ?? false);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // A socket that an earlier process has left would be in the way (as in etcd, NewUnixListener).
      if ('path' in options.address) rmSync(options.address.path, { force: true });
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
    // A connection that cannot be accepted, with no descriptor left, say, is lost; the port goes on.
    server.on('error', () => undefined);
    return port;
  }

  /** The port number that the system gave. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Takes no more connections. Those that are open go on. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Hangs up on everyone; resolves when the port is free. */
  async destroy(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#guard?.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #onConnection(socket: Socket, options: PortOptions): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#guard === undefined) return decide(socket, options);
    socket.on('error', () => socket.destroy());
    this.#guard.accept(socket);
  }
}

/** Lets the first bytes of a connection decide who serves it. */
function decide(socket: Socket, options: PortOptions): void {
  socket.on('error', () => socket.destroy());
  socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, () => socket.destroy());
  // Kept here until they tell enough: what is put back is readable at once, so that nothing else would ever run.
  let first: Buffer = Buffer.alloc(0);
  const onReadable = (): void => {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    first = Buffer.concat([first, bytes]);
    const decision = startsHttp2(first);
    if (decision === undefined) return;
    socket.unshift(first);
    socket.off('readable', onReadable);
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    (decision ? options.http2 : options.http1).accept(socket);
  };
  socket.on('readable', onReadable);
}

/** True, false, or undefined while too few bytes are here to tell. */
function startsHttp2(bytes: Uint8Array): boolean | undefined {
  for (let i = 0; i < HTTP2_START.length; i++) {
    if (i >= bytes.length) return undefined;
    if (bytes[i] !== HTTP2_START[i]) return false;
  }
  return true;
}
