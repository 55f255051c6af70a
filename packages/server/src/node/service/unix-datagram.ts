/**
 * Sends datagrams to a unix socket, which Node cannot do by itself: how systemd is told that a service is ready, and
 * how the journal takes lines. The sender is this very process, as `NotifyAccess=main` wants it.
 */
import { endianness } from 'node:os';

/** Sends one datagram, synchronously. @throws Error of the system. */
export type SendDatagram = (path: string, bytes: Uint8Array) => void;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

/**
 * The sender of this machine; undefined where there is none, because `koffi` is not installed or knows no such system.
 */
export async function unixDatagrams(): Promise<SendDatagram | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const socket = libc.func('int socket(int domain, int type, int protocol)');
    const sendto = libc.func(
      'intptr_t sendto(int fd, const void *bytes, size_t size, int flags, const void *address, uint32_t addressSize)',
    );
    const close = libc.func('int close(int fd)');
    return (path, bytes) => {
      const address = addressOf(path);
      const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
      if (fd < 0) throw new Error(`cannot make a unix socket (errno ${koffi.errno()})`);
      const sent = sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length) as number;
      const errno = koffi.errno();
      close(fd);
      if (sent < 0) throw new Error(`cannot send to ${path} (errno ${errno})`);
    };
  } catch {
    return undefined;
  }
}

/** A sockaddr_un. A path that begins with `@` is an abstract one: a zero byte stands for the `@`, and none ends it. */
function addressOf(path: string): Buffer {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  if (endianness() === 'LE') address.writeUInt16LE(AF_UNIX);
  else address.writeUInt16BE(AF_UNIX);
  name.copy(address, 2);
  return address;
}
