import type { IncomingMessage, ServerResponse } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { JsonWire, WireListener } from '../gateway/json-wire.ts';

/** A gateway call over HTTP/1.1: the body's JSON in, one HTTP chunk per line out. */
export class HttpWire implements JsonWire {
  readonly endsWithValue = false;
  readonly takesParts = true;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
  }

  read({ text, end, broken }: WireListener): void {
    const decoder = new StringDecoder('utf8');
    this.#request.on('data', (chunk: Buffer) => text(decoder.write(chunk), chunk.length));
    this.#request.once('end', () => {
      const rest = decoder.end();
      if (rest !== '') text(rest, 0);
      end();
    });
    this.#request.once('error', broken);
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  answer(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: string | readonly Uint8Array[],
  ): void {
    const response = this.#response;
    if (response.destroyed || response.headersSent) return;
    const pieces = typeof body === 'string' ? [body] : body;
    const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
    response.writeHead(status, { ...headers, 'Content-Length': length });
    for (const piece of pieces) response.write(piece);
    response.end();
  }

  cut(): void {
    this.#response.destroy();
  }

  begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (!this.#response.headersSent) this.#response.writeHead(status, headers);
  }

  part(text: string): void {
    // As bytes: strings that wait would be the collector's.
    if (!this.#response.destroyed) this.#response.write(Buffer.from(text, 'latin1'));
  }

  get waitingBytes(): number {
    return this.#response.closed ? 0 : this.#response.writableLength;
  }

  line(text: string): boolean {
    return this.#response.write(`${text}\n`);
  }

  drained(): Promise<void> {
    const response = this.#response;
    // One that is destroyed is waited for as well: whoever writes on would else have a turn after turn of its own, and
    // nobody would ever hear that the client is gone.
    const mustWait = response.writableNeedDrain || response.destroyed;
    if (response.closed || !mustWait) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.once('drain', done);
      response.once('close', done);
    });
  }

  end(): void {
    if (!this.#response.headersSent) this.#response.writeHead(200);
    this.#response.end();
  }

  onGone(listener: () => void): void {
    this.#response.once('close', listener);
  }
}
