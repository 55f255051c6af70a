/**
 * TLS in front of a port: what comes in is either a finished handshake of somebody who may come in, or gone.
 *
 * What always holds
 * - Files are read again for each connection, before its handshake.
 * - Nobody is handed on before chain, names and revocation are checked; whoever fails is hung up on, and logged.
 * - A handshake has {@link HANDSHAKE_TIMEOUT_MS}, checks included.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, TLSSocket } from 'node:tls';
import type { Logger } from '../../logger.ts';
import { handshakeProblem } from '../go-words.ts';
import type { Credentials, Made } from './credentials.ts';
import { certificateOf, commonNameOf, holderOf, refusalOfCaller } from './peer-check.ts';

/** Milliseconds from the first byte to the end of all checks. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Handshakes under way at one door; one more is hung up on. */
export const MAX_OPEN_HANDSHAKES = 4_096;

/** What a door is made of. */
export interface TlsDoorOptions {
  readonly credentials: Credentials;
  /** Protocols by ALPN, the preferred one first. */
  readonly protocols: readonly string[];
  /** For the log: who is refused. */
  readonly endpoint: 'client' | 'peer';
  readonly log: Logger;
  readonly onSecure: (socket: TLSSocket) => void;
  /** @defaultValue {@link HANDSHAKE_TIMEOUT_MS} */
  readonly handshakeTimeoutMs?: number;
  /** @defaultValue {@link MAX_OPEN_HANDSHAKES} */
  readonly maxOpenHandshakes?: number;
}

/** One handshake under way. */
interface Handshake {
  readonly raw: Socket;
  readonly address: string;
  readonly timer: NodeJS.Timeout;
}

/** TLS for the connections of one port. */
export class TlsDoor {
  readonly #options: TlsDoorOptions;
  readonly #open = new Map<Socket, Handshake>();
  #server: Server | undefined;
  #made: Made | undefined;

  constructor(options: TlsDoorOptions) {
    this.#options = options;
  }

  /** Shakes hands on a connection. Never throws. */
  accept(raw: Socket): void {
    const address = raw.remoteAddress === undefined ? '' : `${raw.remoteAddress}:${raw.remotePort}`;
    const { maxOpenHandshakes = MAX_OPEN_HANDSHAKES } = this.#options;
    if (this.#open.size >= maxOpenHandshakes) {
      this.#log(address, undefined, `${maxOpenHandshakes} handshakes are under way already`);
      raw.destroy();
      return;
    }
    const limitMs = this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    const timer = setTimeout(() => {
      this.#log(address, undefined, `tls: handshake timed out after ${limitMs} ms`);
      this.#open.delete(raw);
      raw.destroy();
    }, limitMs);
    this.#open.set(raw, { raw, address, timer });
    raw.once('close', () => this.#ended(raw));
    this.#shakeHands(raw).catch((error: unknown) => {
      this.#refuse(raw, undefined, error instanceof Error ? error.message : String(error));
    });
  }

  /** Hangs up on whoever is still shaking hands. */
  close(): void {
    for (const { raw, timer } of this.#open.values()) {
      clearTimeout(timer);
      raw.destroy();
    }
    this.#open.clear();
  }

  async #shakeHands(raw: Socket): Promise<void> {
    const made = await this.#options.credentials.context('server');
    if (!this.#open.has(raw) || raw.destroyed) return;
    this.#renew(made).emit('connection', raw);
  }

  /** The server, with a context for the handshake that begins in this turn. */
  #renew(made: Made): Server {
    const { protocols, credentials } = this.#options;
    if (this.#server === undefined) {
      // Who is verified is decided below, where there is something to log.
      const verify = { ...credentials.listenOptions, rejectUnauthorized: false };
      this.#server = createServer({ ...made.options, ...verify, ALPNProtocols: [...protocols] });
      this.#server.on('secureConnection', (socket) => void this.#onSecure(socket));
      this.#server.on('tlsClientError', (error, socket) => this.#onError(error, socket));
    } else if (this.#made !== made) {
      this.#server.setSecureContext(made.options);
    }
    this.#made = made;
    return this.#server;
  }

  async #onSecure(socket: TLSSocket): Promise<void> {
    // What comes meanwhile waits in the socket. (Pausing it would keep the http server from ever reading it.)
    socket.on('error', () => socket.destroy());
    const raw = rawOf(socket);
    let refusal: string | undefined;
    try {
      refusal = await refusalOfCaller(socket, this.#options.credentials);
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
    if (raw === undefined || !this.#open.has(raw) || socket.destroyed) {
      socket.destroy();
      return;
    }
    if (refusal !== undefined) {
      this.#refuse(raw, socket, refusal);
      return;
    }
    this.#ended(raw);
    socket.removeAllListeners('error');
    this.#options.onSecure(socket);
  }

  #onError(error: Error, socket: TLSSocket): void {
    const raw = rawOf(socket);
    if (raw !== undefined) this.#refuse(raw, socket, handshakeProblem(error));
    socket.destroy();
  }

  #refuse(raw: Socket, socket: TLSSocket | undefined, error: string): void {
    const handshake = this.#open.get(raw);
    if (handshake !== undefined) this.#log(handshake.address, socket, error);
    this.#ended(raw);
    socket?.destroy();
    raw.destroy();
  }

  #ended(raw: Socket): void {
    clearTimeout(this.#open.get(raw)?.timer);
    this.#open.delete(raw);
  }

  /** etcd's line, whose fields tell the operator which certificate it was. */
  #log(address: string, socket: TLSSocket | undefined, error: string): void {
    const { endpoint, log } = this.#options;
    const certificate = socket === undefined ? undefined : certificateOf(socket);
    const holder = certificate === undefined ? undefined : holderOf(certificate);
    log.warn(`rejected connection on ${endpoint} endpoint`, {
      'remote-addr': address,
      'server-name': socket?.servername || '',
      ...(holder === undefined
        ? {}
        : {
            'common-name': holder.commonName ?? '',
            'ip-addresses': holder.ipAddresses,
            'dns-names': holder.dnsNames,
          }),
      error,
    });
  }
}

/**
 * The common name under which etcd knows a client: of a verified certificate, and only where certificates are asked
 * for by --client-cert-auth.
 */
export function verifiedCommonName(socket: Socket, { info }: Credentials): string | undefined {
  if (!info.clientCertAuth || !(socket instanceof TLSSocket) || !socket.authorized)
    return undefined;
  const certificate = certificateOf(socket);
  return certificate === undefined ? undefined : commonNameOf(certificate);
}

/** The connection below: node:tls has no other name for it, and forgets its address as soon as it is closed. */
function rawOf(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent;
}
