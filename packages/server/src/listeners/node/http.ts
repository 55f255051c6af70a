/**
 * The HTTP/1.1 door: what monitors and scripts ask for with curl.
 *
 * Routes are data: a path and what answers it. Whatever is not there is 404, a wrong method 405.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Route, RouteAnswer } from '../health-routes.ts';

/** Takes a request that no GET route answers, such as those of the JSON gateway. False: not its business. */
export type HttpFallback = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => boolean;

/** Milliseconds in which a request's headers must be there (etcd embed/serve.go). */
const HEADERS_TIMEOUT_MS = 300_000;
/** Bytes of headers; beyond: 431. */
const MAX_HEADER_BYTES = 16 * 1024;

/** On every answer, so that pages of any origin may ask (etcd --cors, whose default is `*`). */
const CORS_HEADERS = {
  'Access-Control-Allow-Headers': 'accept, content-type, authorization',
  'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'Access-Control-Allow-Origin': '*',
};

/** Serves HTTP/1.1 on the connections given to {@link accept}. */
export class HttpServer {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #fallback: HttpFallback | undefined;
  readonly #http: Server;

  constructor(routes: ReadonlyMap<string, Route>, fallback?: HttpFallback) {
    this.#routes = routes;
    this.#fallback = fallback;
    this.#http = createServer(
      { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES },
      (request, response) => this.#onRequest(request, response),
    );
  }

  /** Speaks HTTP/1.1 on a connection from now on. */
  accept(connection: Duplex): void {
    this.#http.emit('connection', connection);
  }

  /** Lets running requests end; connections that idle are closed. */
  close(): void {
    this.#http.closeIdleConnections();
    this.#http.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(CORS_HEADERS)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') {
      response.writeHead(200, { 'Content-Length': 0 }).end();
      return;
    }
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const route = this.#routes.get(path);
    if (route === undefined) {
      if (this.#fallback?.(request, response, path) !== true) notFound(response);
      return;
    }
    if (request.method !== 'GET') {
      send(
        response,
        { status: 405, contentType: TEXT, body: 'Method Not Allowed\n' },
        { Allow: 'GET' },
      );
      return;
    }
    route(new URLSearchParams(query)).then(
      (answer) => send(response, answer),
      (error: unknown) =>
        send(response, { status: 500, contentType: TEXT, body: `${String(error)}\n` }),
    );
  }
}

const TEXT = 'text/plain; charset=utf-8';

function notFound(response: ServerResponse): void {
  send(response, { status: 404, contentType: TEXT, body: '404 page not found\n' });
}

/** Sends a whole answer. Harmless when the client is gone. */
export function send(
  response: ServerResponse,
  answer: RouteAnswer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(answer.status, {
    ...headers,
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.body),
  });
  response.end(answer.body);
}
