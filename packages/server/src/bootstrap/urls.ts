import { StartError } from '../start-error.ts';

const SCHEMES = new Set(['http:', 'https:', 'unix:', 'unixs:']);

/**
 * Checks one URL as etcd does (client/pkg/types/urls.go, NewURLs).
 *
 * @returns What is wrong with it, in etcd's words; undefined when nothing is.
 */
export function urlProblem(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return `URL scheme must be http, https, unix, or unixs: ${text}`;
  }
  if (!SCHEMES.has(url.protocol)) {
    return `URL scheme must be http, https, unix, or unixs: ${text}`;
  }
  if (url.protocol === 'unix:' || url.protocol === 'unixs:') return undefined;
  const [, , path] = /^https?:\/\/(\[[^\]]+\]|[^:/?#]+):\d+(\/.*|$)/.exec(text.trim()) ?? [];
  if (path === undefined) return `URL address does not have the form "host:port": ${text}`;
  // Nor the slash alone: the same address in two writings would be two.
  return path === '' ? undefined : `URL must not contain a path: ${text}`;
}

/** Where a socket is: host and port, or the path of a Unix socket. */
export type SocketAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/**
 * Where a URL leads. A Unix socket is named by everything behind `unix://`, so that etcd's `unix://localhost:12345` is
 * a file of that name (client/pkg/transport, NewListener).
 */
export function socketAddress(text: string): SocketAddress {
  const unix = /^unixs?:\/\/(.+)$/.exec(text.trim());
  if (unix !== null) return { path: unix[1] as string };
  const { hostname, port, protocol } = new URL(text);
  const usual = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) };
}

/**
 * Where a URL to listen on leads.
 *
 * @throws StartError BAD_OPTION when the host is a name: etcd binds to addresses only (embed/config.go,
 *   checkBindURLs), `localhost` excepted.
 */
export function bindAddress(text: string): SocketAddress & { readonly tls: boolean } {
  const problem = urlProblem(text);
  if (problem !== undefined) throw new StartError('BAD_OPTION', problem);
  const address = socketAddress(text);
  const tls = /^(https|unixs):/.test(text.trim());
  if ('path' in address) return { ...address, tls };
  const { host, port } = address;
  if (host !== 'localhost' && !/^[\d.]+$/.test(host) && !host.includes(':')) {
    throw new StartError('BAD_OPTION', `expected IP in URL for binding (${text})`);
  }
  return { host: host === 'localhost' ? '127.0.0.1' : host, port, tls };
}

/** The URL of an address that is listened on, with the port that the system gave. */
export function listeningUrl(
  address: SocketAddress & { readonly tls: boolean },
  port: number,
): string {
  if ('path' in address) return `${address.tls ? 'unixs' : 'unix'}://${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? 'https' : 'http'}://${host}:${port}`;
}

/** What the system said when an address could not be listened on, in Go's words, which tools wait for. */
export function listenFailure(address: SocketAddress, error: unknown): StartError {
  const { code, message } = error as { code?: string; message: string };
  const why = code === 'EADDRINUSE' ? 'bind: address already in use' : message;
  const where = 'path' in address ? `unix ${address.path}` : `tcp ${address.host}:${address.port}`;
  return new StartError('LISTEN_FAILED', `listen ${where}: ${why}`, { cause: error });
}
