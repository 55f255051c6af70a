/**
 * HTTP over HTTP/2, on ports of TLS: what is not gRPC there (pages, probes, the gateway, asked for by browsers and by
 * curl) goes to the same HTTP/1.1 server as everything else, over a connection inside the process.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { ErrorCode, headerBlock, type Http2Stream } from '@etcd-ts/protocol/http2';
import type { Bridged } from './http.ts';
import type { ConnectionServer } from './port.ts';

/** Headers that belong to a connection of HTTP/1.1, which HTTP/2 forbids (RFC 9113, 8.2.2). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

const NOTHING = new Uint8Array(0);

/** Serves one stream; `caller` is where it came from. */
export function serveOverHttp1(stream: Http2Stream, caller: Socket, http1: ConnectionServer): void {
  const [near, far] = duplexPair();
  // Neither side of the pair hears of the other's breaking by itself.
  near.once('close', () => far.destroy());
  far.once('close', () => {
    if (!far.writableFinished) near.destroy(new Error('the answer was cut off'));
  });
  const { remoteAddress, remotePort } = caller;
  const bridged: Bridged = { caller };
  http1.accept(Object.assign(far, { remoteAddress, remotePort, ...bridged }) as never);
  const { method, path, headers } = requestOf(stream.headers);
  let request: ClientRequest;
  try {
    request = httpRequest({ method, path, headers, createConnection: () => near as never });
  } catch {
    // What HTTP/2 lets pass and HTTP/1.1 cannot say, such as a path with spaces.
    near.destroy();
    return stream.end(headerBlock([[':status', '400']]));
  }
  let response: IncomingMessage | undefined;
  const fail = (): void => stream.end(headerBlock([[':status', '502']]));
  request.on('error', () => {
    // An answer may come before the request has been read to its end; it counts all the same.
    if (response === undefined) fail();
  });
  request.on('drain', () => stream.resume());
  request.on('response', (answer) => {
    response = answer;
    forward(answer, stream);
  });
  stream.user = {
    // The bytes are only lent.
    onData: (bytes) => {
      if (!request.write(Buffer.from(bytes))) stream.pause();
    },
    onEnd: () => void request.end(),
    onDrain: () => void response?.resume(),
    onClose: () => {
      request.destroy();
      near.destroy();
    },
  };
  if (stream.isRemoteClosed) request.end();
  else request.flushHeaders();
}

function forward(answer: IncomingMessage, stream: Http2Stream): void {
  const headers: [string, string][] = [[':status', String(answer.statusCode)]];
  for (let i = 0; i < answer.rawHeaders.length; i += 2) {
    const name = (answer.rawHeaders[i] as string).toLowerCase();
    if (!HOP_BY_HOP.has(name)) headers.push([name, answer.rawHeaders[i + 1] as string]);
  }
  stream.respond(headerBlock(headers));
  answer.on('data', (chunk: Buffer) => {
    if (!stream.write(chunk)) answer.pause();
  });
  answer.on('end', () => stream.writeLast(NOTHING));
  // Cut off in the middle: what came of it must not pass for the whole.
  answer.on('error', () => stream.reset(ErrorCode.INTERNAL_ERROR));
}

function requestOf(list: readonly string[]): {
  method: string;
  path: string;
  headers: Record<string, string>;
} {
  const headers: Record<string, string> = {};
  const pseudo: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) {
    const [name, value] = [list[i] as string, list[i + 1] as string];
    if (name.startsWith(':')) pseudo[name] = value;
    else if (!HOP_BY_HOP.has(name)) headers[name] = value;
  }
  headers['host'] ??= pseudo[':authority'] ?? '';
  return { method: pseudo[':method'] ?? 'GET', path: pseudo[':path'] ?? '/', headers };
}
