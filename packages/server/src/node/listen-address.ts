/**
 * Where a server is to listen, as Node takes it. SO_REUSEPORT is an option of Node from 22.12 on; before, a socket that
 * has it is made and bound here and handed over.
 */
import { isIPv6, type ListenOptions } from 'node:net';
import type { SocketAddress } from '../bootstrap/urls.ts';
import { StartError } from '../start-error.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;

/** Linux's numbers of errors that binding ends with. */
const ERRNO_CODES: Readonly<Record<number, string>> = {
  13: 'EACCES',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
};

/** An address, or a socket that is bound to one. */
export type ListenTarget = ListenOptions | { readonly fd: number };

/**
 * What to give to `server.listen`.
 *
 * @throws StartError BAD_OPTION where ports cannot be shared; Error with the system's code when binding fails.
 */
export async function listenAddress(
  address: SocketAddress,
  isPortShared: boolean,
): Promise<ListenTarget> {
  if ('path' in address) return { path: address.path };
  const { host, port } = address;
  if (!isPortShared) return { host, port };
  return hasReusePort()
    ? ({ host, port, reusePort: true } as ListenOptions)
    : boundSocket(host, port);
}

function hasReusePort(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}

async function boundSocket(host: string, port: number): Promise<ListenTarget> {
  const libc = await systemLibrary();
  const family = isIPv6(host) ? AF_INET6 : AF_INET;
  const fd = libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const one = Buffer.from([1, 0, 0, 0]);
  for (const option of [SO_REUSEADDR, SO_REUSEPORT]) {
    libc.setsockopt(fd, SOL_SOCKET, option, one, one.length);
  }
  const address = addressBytes(libc, { family, host, port });
  if (libc.bind(fd, address, address.length) === 0) return { fd };
  const code = ERRNO_CODES[libc.errno()] ?? 'EINVAL';
  libc.close(fd);
  throw Object.assign(new Error(`bind ${host}:${port} failed with ${code}`), { code });
}

/** A sockaddr_in or sockaddr_in6 of Linux. */
function addressBytes(
  libc: SystemLibrary,
  { family, host, port }: { family: number; host: string; port: number },
): Buffer {
  const isV6 = family === AF_INET6;
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(family);
  bytes.writeUInt16BE(port, 2);
  libc.inet_pton(family, host, bytes.subarray(isV6 ? 8 : 4));
  return bytes;
}

interface SystemLibrary {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, size: number): number;
  bind(fd: number, address: Buffer, size: number): number;
  inet_pton(family: number, text: string, into: Buffer): number;
  close(fd: number): number;
  errno(): number;
}

async function systemLibrary(): Promise<SystemLibrary> {
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    return {
      socket: libc.func('int socket(int family, int type, int protocol)'),
      setsockopt: libc.func(
        'int setsockopt(int fd, int level, int name, const void *value, uint32_t size)',
      ),
      bind: libc.func('int bind(int fd, const void *address, uint32_t size)'),
      inet_pton: libc.func('int inet_pton(int family, const char *text, _Out_ void *into)'),
      close: libc.func('int close(int fd)'),
      errno: () => koffi.errno(),
    } as SystemLibrary;
  } catch (cause) {
    const message = `--socket-reuse-port needs Node 22.12 or the package koffi`;
    throw new StartError('BAD_OPTION', message, { cause });
  }
}
