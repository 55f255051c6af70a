/** The other end of a unix datagram socket, with the sender's process id, as systemd has it. */
import { rmSync } from 'node:fs';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_PASSCRED = 16;
const MSG_DONTWAIT = 0x40;

/** What came. */
export interface Datagram {
  readonly text: string;
  readonly pid: number;
}

/** A bound socket. */
export class DatagramSocket implements AsyncDisposable {
  readonly path: string;
  readonly receive: () => Datagram | undefined;
  readonly #close: () => void;

  private constructor(path: string, receive: () => Datagram | undefined, close: () => void) {
    this.path = path;
    this.receive = receive;
    this.#close = close;
  }

  /** Binds a path, or an abstract name that begins with `@`. */
  static async bind(path: string): Promise<DatagramSocket> {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load(null);
    const socket = libc.func('int socket(int domain, int type, int protocol)');
    const bind = libc.func('int bind(int fd, const void *address, uint32_t size)');
    const setOption = libc.func(
      'int setsockopt(int fd, int level, int name, const void *value, uint32_t size)',
    );
    const receiveMessage = libc.func('intptr_t recvmsg(int fd, void *message, int flags)');
    const close = libc.func('int close(int fd)');
    const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
    const fd = socket(AF_UNIX, SOCK_DGRAM, 0) as number;
    const one = Buffer.from([1, 0, 0, 0]);
    if (bind(fd, address, address.length) !== 0) throw new Error(`cannot bind ${path}`);
    if (setOption(fd, SOL_SOCKET, SO_PASSCRED, one, one.length) !== 0) throw new Error('no creds');
    const receive = (): Datagram | undefined => {
      const text = Buffer.alloc(4096);
      const control = Buffer.alloc(256);
      const vector = Buffer.alloc(16);
      vector.writeBigUInt64LE(koffi.address(text), 0);
      vector.writeBigUInt64LE(BigInt(text.length), 8);
      // struct msghdr of a 64-bit Linux.
      const message = Buffer.alloc(56);
      message.writeBigUInt64LE(koffi.address(vector), 16);
      message.writeBigUInt64LE(1n, 24);
      message.writeBigUInt64LE(koffi.address(control), 32);
      message.writeBigUInt64LE(BigInt(control.length), 40);
      const size = Number(receiveMessage(fd, message, MSG_DONTWAIT));
      // The credentials follow the header of the control message.
      return size < 0
        ? undefined
        : { text: text.toString('utf8', 0, size), pid: control.readInt32LE(16) };
    };
    return new DatagramSocket(path, receive, () => {
      close(fd);
      if (!path.startsWith('@')) rmSync(path, { force: true });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }
}
