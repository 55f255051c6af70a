/**
 * The HTTP/1.1 door: what monitors and scripts ask for with curl.
 *
 * Routes are data: a path and what answers it. Whatever is not there is 404, a wrong method 405.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { systemClock } from '../../node/system-clock.ts';
import { type AccessRules, corsHeaders, refusedHost } from '../access.ts';
import { GATEWAY_PREFIX } from '../gateway/gateway-routes.ts';
import { BAD_TARGET, redirection, type RequestPath, requestPath } from '../request-path.ts';
import { errorAnswer, type RouteAnswer, type Routes } from '../route.ts';
import type { Gateway } from './gateway.ts';
import { StalledRequests } from './stalled-requests.ts';

/** What an HTTP door is made of. */
export interface HttpServerParts {
  readonly routes: Routes;
  /** Takes what no route answers. */
  readonly gateway?: Gateway;
  /** Who may ask; without it anybody, and no answer speaks of origins, as on etcd's metrics port. */
  readonly access?: AccessRules;
  /**
   * Whether a connection's certificate says who its client is, while that would count elsewhere: the gateway calls with
   * a certificate of its own, so such a request would not be done in that client's name.
   */
  readonly isClaimed?: (connection: Socket) => boolean;
  /** By which requests that do not go on are given up. @defaultValue the system's */
  readonly clock?: Clock;
}

/** A connection that stands for another: a stream of HTTP/2. */
export interface Bridged {
  readonly caller: Socket;
}

/** Bytes of headers; beyond: 431. */
export const MAX_HEADER_BYTES: number = 16 * 1024;

const METHOD_NOT_ALLOWED = errorAnswer(405, 'Method Not Allowed', { Allow: 'GET' });
const NOT_FOUND = errorAnswer(404, '404 page not found');
const CLAIMED = errorAnswer(
  400,
  'CommonName of client sending a request against gateway will be ignored and not used as expected',
);

/** Serves HTTP/1.1 on the connections given to {@link accept}. */
export class HttpServer {
  readonly #parts: HttpServerParts;
  readonly #http: Server;
  readonly #stalled: StalledRequests;
  /** Connections whose breaking is listened for: one may ask for an upgrade as often as it likes. */
  readonly #upgrading = new WeakSet<Duplex>();

  constructor(parts: HttpServerParts) {
    this.#parts = parts;
    this.#stalled = new StalledRequests(parts.clock ?? systemClock);
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      this.#stalled.requested(request.socket, response);
      this.#onRequest(request, response);
    });
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#stalled.left(socket);
      this.#onUpgrade(request, socket, head);
    });
  }

  /** Speaks HTTP/1.1 on a connection from now on. */
  accept(connection: Duplex): void {
    this.#stalled.accepted(connection);
    this.#http.emit('connection', connection);
  }

  /** Lets running requests end; connections that idle are closed. */
  close(): void {
    this.#parts.gateway?.close();
    this.#stalled.close();
    this.#http.closeIdleConnections();
    this.#http.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { access, gateway, routes } = this.#parts;
    const target = requestPath(request.url ?? '/');
    if (target === undefined) return send(response, BAD_TARGET);
    const refusal = this.#refusal(request, target.path);
    if (refusal !== undefined) return send(response, refusal);
    const { method = 'GET' } = request;
    if (access !== undefined) {
      for (const [name, value] of Object.entries(corsHeaders(access, request.headers.origin))) {
        response.setHeader(name, value);
      }
      if (method === 'OPTIONS') return void response.writeHead(200, { 'Content-Length': 0 }).end();
    }
    const moved = redirection(target, (path) => this.#isFolder(path), method);
    if (moved !== undefined) return send(response, moved);
    if (gateway?.has(target.path) === true) return gateway.serve(request, response, target.path);
    const route = routes.get(target.path);
    if (route === undefined) return send(response, NOT_FOUND);
    if (method !== 'GET' && route.anyMethod !== true) return send(response, METHOD_NOT_ALLOWED);
    route.answer(new URLSearchParams(target.query)).then(
      (answer) => send(response, answer),
      (error: unknown) => send(response, errorAnswer(500, String(error))),
    );
  }

  /** A WebSocket of the gateway; anything else that somebody wants to upgrade to is passed over, as in Go. */
  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#upgrading.has(socket)) socket.on('error', () => socket.destroy());
    this.#upgrading.add(socket);
    const target = requestPath(request.url ?? '/');
    const { gateway } = this.#parts;
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    const isOurs = isWebSocket && target !== undefined && gateway?.has(target.path) === true;
    if (!isOurs || this.#refusal(request, target.path) !== undefined) {
      socket.unshift(withoutUpgrade(request, head));
      // node:http leaves these two when it gives a connection away, and adds them anew.
      socket.removeAllListeners('pause').removeAllListeners('resume');
      return this.accept(socket);
    }
    gateway.upgrade(request, socket, head, target.path);
  }

  #refusal(request: IncomingMessage, path: RequestPath['path']): RouteAnswer | undefined {
    const { access, gateway, isClaimed } = this.#parts;
    const socket = request.socket as Socket & Partial<Bridged>;
    const caller = socket.caller ?? socket;
    const isPlain = !('encrypted' in caller);
    if (isPlain) return access && refusedHost(access, request.headers.host);
    const isCall = gateway?.has(path) === true;
    return isCall && isClaimed?.(caller) === true ? CLAIMED : undefined;
  }

  /** Whether everything below a path is served by one. */
  #isFolder(path: string): boolean {
    const { gateway, routes } = this.#parts;
    return routes.has(path) || (gateway !== undefined && path === GATEWAY_PREFIX);
  }
}

/** The beginning of a request again, as if nothing had been said of an upgrade. */
function withoutUpgrade(request: IncomingMessage, head: Buffer): Buffer {
  const { rawHeaders } = request;
  let text = `${request.method} ${request.url} HTTP/1.1\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (/^(?:upgrade|connection|http2-settings)$/i.test(name)) continue;
    text += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  return Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]);
}

/** Sends a whole answer. Harmless when the client is gone. */
export function send(response: ServerResponse, answer: RouteAnswer): void {
  if (response.destroyed || response.headersSent) return;
  const { body, contentType, headers = {}, status } = answer;
  const typed = contentType === '' ? headers : { ...headers, 'Content-Type': contentType };
  if (typeof body !== 'string') {
    response.writeHead(status, typed);
    const pieces = Readable.from(body);
    pieces.once('error', () => response.destroy());
    response.once('close', () => pieces.destroy());
    pieces.pipe(response);
    return;
  }
  response.writeHead(status, { ...typed, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
