import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { JsonWire, WireListener } from '../gateway/json-wire.ts';

/** Bytes that a WebSocket may owe its client before the handler is told to wait. */
export const MAX_WEB_SOCKET_BACKLOG_BYTES: number = 1 << 20;

const NORMAL_CLOSURE = 1000;

/**
 * A gateway call over a WebSocket, as etcd's proxy offers it (tmc/grpc-websocket-proxy): every message is a piece of the
 * request's text, every line of the answer is a message, statuses and headers get lost.
 */
export class WebSocketWire implements JsonWire {
  readonly endsWithValue = true;
  readonly takesParts = false;
  readonly #socket: WebSocket;
  #waiting: (() => void)[] = [];
  #isGone = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    // The library closes the connection itself; what is left to do follows from that.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#isGone = true;
      this.#release();
    });
  }

  read({ text, broken }: WireListener): void {
    this.#socket.on('message', (data) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat([data as never].flat());
      text(`${bytes.toString('utf8')}\n`, bytes.length + 1);
    });
    this.#socket.once('close', broken);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  answer(
    _status: number,
    _headers: Readonly<Record<string, string>>,
    body: string | readonly Uint8Array[],
  ): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(typeof body === 'string' ? body : Buffer.concat(body), { binary: false });
    this.end();
  }

  cut(): void {
    this.#socket.terminate();
  }

  begin(): void {
    // A WebSocket's answer has no status and no headers.
  }

  part(text: string): void {
    this.line(text);
  }

  get waitingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  line(text: string): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    this.#socket.send(text, () => {
      if (this.#hasRoom()) this.#release();
    });
    return this.#hasRoom();
  }

  drained(): Promise<void> {
    const isOpen = this.#socket.readyState === this.#socket.OPEN;
    // One that is closing is waited for: see HttpWire.
    if (this.#isGone || (isOpen && this.#hasRoom())) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  end(): void {
    this.#socket.close(NORMAL_CLOSURE);
  }

  onGone(listener: () => void): void {
    this.#socket.once('close', listener);
  }

  #hasRoom(): boolean {
    return this.#socket.bufferedAmount < MAX_WEB_SOCKET_BACKLOG_BYTES;
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** The sub-protocol of a client that hides its token in there, since browsers cannot set headers. */
export const BEARER_PROTOCOL = 'Bearer';

/**
 * The token that a WebSocket's opening request brings: as the second of its sub-protocols after `Bearer`, as a cookie
 * named `token`, or in the header of any other request.
 */
export function webSocketToken({ headers }: IncomingMessage): string | undefined {
  const cookie = /(?:^|;\s*)token=([^;]*)/.exec(headers.cookie ?? '')?.[1];
  if (cookie !== undefined) return `Bearer ${cookie}`;
  const protocol = /Bearer,\s*(.*)$/.exec(headers['sec-websocket-protocol'] ?? '')?.[1];
  if (protocol !== undefined) return `Bearer ${protocol.trim()}`;
  return headers.authorization;
}
