/** A port of TLS that tells everybody who it takes them for, and clients that ask it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { type Authority, makeCertificates } from '../../../../examples/tls/certificates.ts';
import { ClientPort } from '../../src/listeners/node/port.ts';
import { type LogFields, silentLogger } from '../../src/logger.ts';
import { Credentials } from '../../src/tls/node/credentials.ts';
import { TlsDoor, verifiedCommonName } from '../../src/tls/node/tls-door.ts';
import { resolveTls, type TlsNodeOptions } from '../../src/tls/tls-options.ts';

let folder = '';
const open: ClientPort[] = [];

/** Where a file of the certificates is. */
export const path = (name: string): string => join(folder, name);

/** Makes the certificates. */
export async function makeFolder(): Promise<Authority> {
  folder = mkdtempSync(join(tmpdir(), 'etcd-ts-tls-'));
  return makeCertificates(folder);
}

/** Closes the ports and removes the certificates. */
export async function removeFolder(): Promise<void> {
  await Promise.all(open.map((port) => port.destroy()));
  rmSync(folder, { recursive: true, force: true });
}

/** A port that tells everybody the common name it was given and who serves it; and what it logged. */
export async function listen(
  options: TlsNodeOptions,
  extra: {
    kind?: 'client' | 'peer';
    handshakeTimeoutMs?: number;
    maxOpenHandshakes?: number;
  } = {},
): Promise<{ port: number; log: { message: string; fields: LogFields | undefined }[] }> {
  const log: { message: string; fields: LogFields | undefined }[] = [];
  const { kind = 'client', ...limits } = extra;
  const info = resolveTls(options, { listenClientUrls: [], listenPeerUrls: [] })[kind];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields?: LogFields) => void log.push({ message, fields }),
  };
  const credentials = new Credentials(info, ['127.0.0.1'], logger);
  const serve = (who: string) => ({
    accept: (socket: Parameters<typeof verifiedCommonName>[0]): void => {
      socket.resume();
      socket.end(`${who} ${verifiedCommonName(socket, credentials) ?? '-'}`);
    },
  });
  const port = await ClientPort.listen({
    address: { host: '127.0.0.1', port: 0 },
    http1: serve('http1'),
    http2: serve('http2'),
    tls: (onSecure) =>
      new TlsDoor({
        credentials,
        protocols: ['h2', 'http/1.1'],
        endpoint: kind,
        log: logger,
        onSecure,
        ...limits,
      }),
  });
  open.push(port);
  return { port: port.port, log };
}

/** A certificate, nothing asked of clients. */
export const SERVER = (): TlsNodeOptions => ({
  certFile: path('server.crt'),
  keyFile: path('server.key'),
});
/** Certificates on both sides. */
export const MUTUAL = (): TlsNodeOptions => ({
  ...SERVER(),
  trustedCaFile: path('ca.crt'),
  clientCertAuth: true,
});

/** What a client is told, or `refused`. */
export function ask(
  port: number,
  certificate: string | undefined,
  options: ConnectionOptions & { hello?: string } = {},
): Promise<string> {
  const { hello = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ...rest } = options;
  const own =
    certificate === undefined
      ? {}
      : {
          cert: readFileSync(path(`${certificate}.crt`)),
          key: readFileSync(path(`${certificate}.key`)),
        };
  return new Promise((resolve) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      ca: readFileSync(path('ca.crt')),
      ALPNProtocols: ['h2'],
      ...own,
      ...rest,
    });
    let text = '';
    socket.on('secureConnect', () => socket.write(hello));
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text === '' ? 'refused' : text));
  });
}
