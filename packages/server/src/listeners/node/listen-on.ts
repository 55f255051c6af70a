/** A URL as a port that listens: of TCP or a Unix socket, with TLS or without. */
import { bindAddress, listenFailure, listeningUrl } from '../../bootstrap/urls.ts';
import type { Logger } from '../../logger.ts';
import { StartError } from '../../start-error.ts';
import type { Credentials } from '../../tls/node/credentials.ts';
import { TlsDoor } from '../../tls/node/tls-door.ts';
import { ClientPort, type PortOptions, type TlsGuard } from './port.ts';

/** A port that listens. */
export interface Listening {
  /** With the real port. */
  readonly url: string;
  readonly port: ClientPort;
}

/** What URLs of TLS need. */
export interface ClientTls {
  readonly credentials: Credentials;
  readonly log: Logger;
  /** By ALPN, the preferred one first. @defaultValue gRPC, then gateway, pages and probes */
  readonly protocols?: readonly string[];
}

const PROTOCOLS = ['h2', 'http/1.1'];

/**
 * Listens on a URL.
 *
 * @throws StartError BAD_OPTION for a URL that cannot be bound to, LISTEN_FAILED when the system refuses.
 */
export async function listenOn(
  url: string,
  doors: Pick<PortOptions, 'http1' | 'http2' | 'isPortShared'>,
  tls: ClientTls | undefined,
): Promise<Listening> {
  const address = bindAddress(url);
  const guard = address.tls ? guardOf(url, tls) : undefined;
  try {
    const port = await ClientPort.listen({ address, ...doors, tls: guard });
    return { url: listeningUrl(address, port.port), port };
  } catch (error) {
    throw error instanceof StartError ? error : listenFailure(address, error);
  }
}

function guardOf(url: string, tls: ClientTls | undefined): PortOptions['tls'] {
  if (tls === undefined) {
    throw new StartError('BAD_OPTION', `cannot listen on ${url}: no certificate is configured`);
  }
  return (serve): TlsGuard =>
    new TlsDoor({ protocols: PROTOCOLS, ...tls, endpoint: 'client', onSecure: serve });
}
