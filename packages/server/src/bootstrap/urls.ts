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
  if (!/^https?:\/\/(\[[^\]]+\]|[^:/?#]+):\d+(\/|$)/.test(text.trim())) {
    return `URL address does not have the form "host:port": ${text}`;
  }
  if (url.pathname !== '/' && url.pathname !== '') return `URL must not contain a path: ${text}`;
  return undefined;
}

/**
 * Host and port of a URL to listen on.
 *
 * @throws StartError BAD_OPTION when the host is a name: etcd binds to addresses only (embed/config.go,
 *   checkBindURLs), `localhost` excepted.
 */
export function bindAddress(text: string): { host: string; port: number; tls: boolean } {
  const problem = urlProblem(text);
  if (problem !== undefined) throw new StartError('BAD_OPTION', problem);
  const url = new URL(text);
  if (url.protocol !== 'http:') {
    throw new StartError('BAD_OPTION', `only http:// can be listened on in this version (${text})`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host !== 'localhost' && !/^[\d.]+$/.test(host) && !host.includes(':')) {
    throw new StartError('BAD_OPTION', `expected IP in URL for binding (${text})`);
  }
  return {
    host: host === 'localhost' ? '127.0.0.1' : host,
    port: url.port === '' ? 80 : Number(url.port),
    tls: false,
  };
}
