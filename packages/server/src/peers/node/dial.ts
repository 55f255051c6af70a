import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { connectTo, type Dialling } from '../../tls/node/tls-dialer.ts';
import type { LocalPeer } from '../peer-transport.ts';
import { helloHeaders, type Lane, PEER_PATH } from './handshake.ts';

/** A connection that is not made within so long is given up. */
export const DIAL_TIMEOUT_MS = 2_000;

/** Who dials, and how. */
export interface DialParts {
  readonly local: LocalPeer;
  /** For URLs of TLS. */
  readonly tls?: Dialling | undefined;
  /** Where the connection is made from; undefined: as the system likes. */
  readonly localAddress?: string | undefined;
}

/** A connection after the handshake. */
export interface Dialled {
  readonly socket: Duplex;
  /** What came with the handshake's answer. */
  readonly head: Uint8Array;
}

/** The peer answered, and does not want to talk to this member. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** HTTP status: 412 another cluster or member, 404 unknown, 410 removed. */
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/**
 * Connects to a peer and shakes hands.
 *
 * @throws RefusedError when it says no; Error when it cannot be reached in time.
 */
export async function dial(
  { local, tls, localAddress }: DialParts,
  url: string,
  to: bigint,
  lane: Lane,
  signal: AbortSignal,
): Promise<Dialled> {
  const connection = await connectTo(url, tls, {
    timeoutMs: DIAL_TIMEOUT_MS,
    signal,
    localAddress,
  });
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: new URL(url).host || 'localhost',
      path: PEER_PATH,
      headers: helloHeaders(local, to, lane),
      signal,
      createConnection: () => connection,
    });
    const failed = (error: Error): void => {
      clearTimeout(timer);
      // Who answers otherwise than was asked for may mean to keep the connection.
      connection.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => failed(new Error(`no answer within ${DIAL_TIMEOUT_MS} ms`)),
      DIAL_TIMEOUT_MS,
    );
    outgoing.on('error', failed);
    outgoing.on('upgrade', (_response, socket, head) => {
      clearTimeout(timer);
      connection.setNoDelay(true);
      resolve({ socket, head });
    });
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (text.length < 4096) text += part;
      });
      response.on('end', () => failed(new RefusedError(response.statusCode ?? 0, text.trim())));
      response.on('error', failed);
    });
    outgoing.end();
  });
}

/**
 * Connects to a peer by whichever of its URLs answers first, in their order.
 *
 * @throws What the last of them failed with.
 */
export async function dialAny(
  parts: DialParts,
  urls: readonly string[],
  to: bigint,
  lane: Lane,
  signal: AbortSignal,
): Promise<Dialled> {
  let failure: unknown = new Error('the peer has no URL');
  for (const url of urls) {
    try {
      return await dial(parts, url, to, lane, signal);
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}
