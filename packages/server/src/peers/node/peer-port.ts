/** The ports that peers come in through: of TCP or a Unix socket, with TLS or without. */
import { rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { bindAddress, listenFailure } from '../../bootstrap/urls.ts';
import { listenAddress } from '../../node/listen-address.ts';
import type { Logger } from '../../logger.ts';
import { StartError } from '../../start-error.ts';
import type { Dialling } from '../../tls/node/tls-dialer.ts';
import { TlsDoor } from '../../tls/node/tls-door.ts';

/** What a port is made of. */
export interface PeerPortParts {
  readonly log: Logger;
  readonly tls: Dialling | undefined;
  /** Takes who comes in, once it is known who that is. */
  readonly serve: (socket: Socket) => void;
  readonly isPortShared: boolean;
}

/** One listening port. */
export class PeerPort {
  readonly #server: Server;
  readonly #door: TlsDoor | undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, door: TlsDoor | undefined) {
    this.#server = server;
    this.#door = door;
  }

  /**
   * Listens.
   *
   * @throws StartError BAD_OPTION for a URL that cannot be bound to, LISTEN_FAILED when the system refuses.
   */
  static async listen(url: string, parts: PeerPortParts): Promise<PeerPort> {
    const address = bindAddress(url);
    const { serve } = parts;
    const door = address.tls ? doorOf(url, parts) : undefined;
    const server = createServer({ noDelay: true });
    const port = new PeerPort(server, door);
    server.on('connection', (socket) => {
      port.#sockets.add(socket);
      socket.on('close', () => port.#sockets.delete(socket));
      if (door === undefined) return serve(socket);
      socket.on('error', () => socket.destroy());
      door.accept(socket);
    });
    const where = await listenAddress(address, parts.isPortShared).catch((error: unknown) => {
      throw error instanceof StartError ? error : listenFailure(address, error);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(listenFailure(address, error)));
      if ('path' in address) rmSync(address.path, { force: true });
      server.listen(where, resolve);
    });
    // One that cannot be accepted, with no descriptor left, say, is lost; the port goes on.
    server.on('error', (error) => parts.log.warn('cannot accept a peer connection', { error }));
    return port;
  }

  /** Where it listens, with the real port. */
  get address(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** Hangs up on everyone; resolves when the port is free. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#door?.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function doorOf(url: string, { tls, log, serve: onSecure }: PeerPortParts): TlsDoor {
  if (tls === undefined) {
    throw new StartError('BAD_OPTION', `cannot listen on ${url}: no certificate is configured`);
  }
  const { credentials } = tls;
  return new TlsDoor({ credentials, protocols: ['http/1.1'], endpoint: 'peer', log, onSecure });
}
