/** The dialling side of TLS: the connection under an HTTP request to a peer. */
import type { X509Certificate } from 'node:crypto';
import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { socketAddress } from '../../bootstrap/urls.ts';
import { diallingProblem } from '../go-words.ts';
import { isTlsUrl } from '../tls-options.ts';
import type { Credentials } from './credentials.ts';
import { certificateOf, isValidFor, refusalOfServer } from './peer-check.ts';

/** How peers are dialled. */
export interface Dialling {
  readonly credentials: Credentials;
  /** The name that certificates must be valid for instead of the dialled host (etcd: the domain of --discovery-srv). */
  readonly serverName?: string | undefined;
}

/** When a dialler gives up, and where it dials from. */
export interface DialLimits {
  /** An address of this machine; undefined: as the system likes. */
  readonly localAddress?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Connects to a URL of any of etcd's schemes; over TLS when the scheme says so. Resolves when both sides are checked.
 *
 * @throws Error: not reachable, not in time, or a certificate that does not fit.
 */
export async function connectTo(
  url: string,
  dialling: Dialling | undefined,
  limits: DialLimits,
): Promise<Socket> {
  const address = socketAddress(url);
  const target: NetConnectOpts =
    'path' in address
      ? { path: address.path }
      : {
          host: address.host,
          port: address.port,
          ...(limits.localAddress === undefined ? {} : { localAddress: limits.localAddress }),
        };
  if (!isTlsUrl(url)) return connected(connectTcp(target), 'connect', limits);
  if (dialling === undefined) throw new Error(`${url} needs TLS, and there is none configured`);
  const { credentials, serverName } = dialling;
  const { secureContext } = await credentials.context('dialler');
  const host = serverName ?? ('host' in address ? address.host : 'localhost');
  const socket: TLSSocket = connectTls({
    ...target,
    secureContext,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // A certificate that the peer signed itself proves nothing: it only keeps listeners out, as in etcd.
    rejectUnauthorized: credentials.info.selfSigned === undefined,
    checkServerIdentity: () => hostProblem(socket, host),
  });
  await connected(socket, 'secureConnect', limits);
  if (credentials.info.selfSigned === undefined) await checkServer(socket, credentials);
  return socket;
}

function hostProblem(socket: TLSSocket, host: string): Error | undefined {
  const certificate: X509Certificate | undefined = certificateOf(socket);
  if (certificate !== undefined && isValidFor(certificate, host)) return undefined;
  return new Error(
    `tls: failed to verify certificate: x509: certificate is not valid for ${host} (its names: ${certificate?.subjectAltName ?? 'none'})`,
  );
}

async function checkServer(socket: TLSSocket, credentials: Credentials): Promise<void> {
  try {
    const problem = await refusalOfServer(socket, credentials);
    if (problem !== undefined) throw new Error(problem);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Resolves at the event; rejects when the connection fails, or is not there in time. */
function connected<Kind extends Socket>(
  socket: Kind,
  event: 'connect' | 'secureConnect',
  { timeoutMs, signal }: DialLimits,
): Promise<Kind> {
  // Whoever takes the connection over may not listen yet when it fails.
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    const onAbort = (): void => void socket.destroy(new Error('the connection was given up'));
    signal?.addEventListener('abort', onAbort, { once: true });
    const settled = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const onError = (error: Error): void => {
      settled();
      reject(diallingProblem(error));
    };
    socket.once('error', onError);
    socket.once(event, () => {
      settled();
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
