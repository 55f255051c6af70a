import { createSocket, type Socket } from 'node:dgram';
import { decode, encode, type Answer } from 'dns-packet';

/** Records by name and type: `SRV _etcd-server._tcp.example.com`. */
export type Records = Readonly<Record<string, readonly Answer[]>>;

/** A DNS server on this machine that knows some records. */
export class DnsServer {
  readonly #socket: Socket;
  readonly address: string;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `127.0.0.1:${socket.address().port}`;
  }

  static async start(records: Records): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.on('message', (packet, from) => {
      const { id, questions = [] } = decode(packet);
      const answers = questions.flatMap(({ type, name }) => records[`${type} ${name}`] ?? []);
      const reply = encode({
        type: 'response',
        id: id ?? 0,
        flags: answers.length === 0 ? 3 : 0,
        questions,
        answers: [...answers],
      });
      socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => {
      socket.bind(0, '127.0.0.1', resolve);
    });
    return new DnsServer(socket);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}

/** A record of a service. */
export function srv(name: string, target: string, port: number, priority = 0, weight = 0): Answer {
  return { type: 'SRV', name, data: { target, port, priority, weight } };
}

/** An address of a host. */
export function a(name: string, address = '127.0.0.1'): Answer {
  return { type: 'A', name, data: address };
}
