import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LocalPeer } from '../peer-transport.ts';
import { helloHeaders, type Lane, PEER_PATH } from './handshake.ts';

/** A connection that is not made within so long is given up. */
export const DIAL_TIMEOUT_MS = 2_000;

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
export function dial(
  url: string,
  local: LocalPeer,
  to: bigint,
  lane: Lane,
  signal: AbortSignal,
): Promise<Dialled> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 80 : Number(port),
      path: PEER_PATH,
      headers: helloHeaders(local, to, lane),
      agent: false,
      signal,
      timeout: DIAL_TIMEOUT_MS,
    });
    outgoing.on('timeout', () =>
      outgoing.destroy(new Error(`no answer within ${DIAL_TIMEOUT_MS} ms`)),
    );
    outgoing.on('error', reject);
    outgoing.on('upgrade', (_response, socket, head) => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      resolve({ socket, head });
    });
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (text.length < 4096) text += part;
      });
      response.on('end', () => reject(new RefusedError(response.statusCode ?? 0, text.trim())));
      response.on('error', reject);
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
  urls: readonly string[],
  local: LocalPeer,
  to: bigint,
  lane: Lane,
  signal: AbortSignal,
): Promise<Dialled> {
  let failure: unknown = new Error('the peer has no URL');
  for (const url of urls) {
    try {
      return await dial(url, local, to, lane, signal);
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}
