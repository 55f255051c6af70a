/**
 * The HTTP/1.1 door: what monitors and scripts ask for with curl.
 *
 * Routes are data: a path and what answers it. Whatever is not there is 404, a wrong method 405.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { type AccessRules, corsHeaders, refusedHost } from '../access.ts';
import { errorAnswer, type RouteAnswer, type Routes } from '../route.ts';

/** Takes a request that no route answers, such as those of the JSON gateway. False: not its business. */
export type HttpFallback = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => boolean;

/** What an HTTP door is made of. */
export interface HttpServerParts {
  readonly routes: Routes;
  readonly fallback?: HttpFallback;
  /** Who may ask; without it anybody, and no answer speaks of origins, as on etcd's metrics port. */
  readonly access?: AccessRules;
}

/** Milliseconds in which a request's headers must be there (etcd embed/serve.go). */
const HEADERS_TIMEOUT_MS = 300_000;
/** Bytes of headers; beyond: 431. */
export const MAX_HEADER_BYTES: number = 16 * 1024;

const METHOD_NOT_ALLOWED = errorAnswer(405, 'Method Not Allowed', { Allow: 'GET' });
const NOT_FOUND = errorAnswer(404, '404 page not found');

/** Serves HTTP/1.1 on the connections given to {@link accept}. */
export class HttpServer {
  readonly #parts: HttpServerParts;
  readonly #http: Server;

  constructor(parts: HttpServerParts) {
    this.#parts = parts;
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
    const { access, fallback, routes } = this.#parts;
    if (access !== undefined) {
      const isPlain = !('encrypted' in request.socket);
      const refusal = isPlain ? refusedHost(access, request.headers.host) : undefined;
      if (refusal !== undefined) return send(response, refusal);
      for (const [name, value] of Object.entries(corsHeaders(access, request.headers.origin))) {
        response.setHeader(name, value);
      }
      if (request.method === 'OPTIONS') {
        response.writeHead(200, { 'Content-Length': 0 }).end();
        return;
      }
    }
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
    const route = routes.get(path);
    if (route === undefined) {
      if (fallback?.(request, response, path) !== true) send(response, NOT_FOUND);
      return;
    }
    if (request.method !== 'GET' && route.anyMethod !== true) {
      return send(response, METHOD_NOT_ALLOWED);
    }
    route.answer(new URLSearchParams(query)).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, errorAnswer(500, String(error))),
    );
  }
}

/** Sends a whole answer. Harmless when the client is gone. */
export function send(response: ServerResponse, answer: RouteAnswer): void {
  if (response.destroyed || response.headersSent) return;
  const { body, contentType, headers = {}, status } = answer;
  if (typeof body !== 'string') {
    response.writeHead(status, { ...headers, 'Content-Type': contentType });
    const pieces = Readable.from(body);
    pieces.once('error', () => response.destroy());
    response.once('close', () => pieces.destroy());
    pieces.pipe(response);
    return;
  }
  response.writeHead(status, {
    ...headers,
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
