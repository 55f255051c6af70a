/**
 * Ranges of very many keys, encoded in pieces with a turn for everybody else between them. Put together the pieces are
 * the message: a list's items may be written one message after the other.
 */
import { RangeResponse } from '@etcd-ts/protocol';
import { messageToJson } from './gateway/to-json.ts';

/** Keys in a piece. */
export const PIECE_KEYS = 1_000;

/** Keys up to which an answer is encoded in one go. */
export const LARGE_ANSWER_KEYS = 5_000;

/** Whether a method's answer is so large that it is to be encoded in pieces. */
export function isLargeRange(method: string, response: unknown): response is RangeResponse {
  if (method !== 'etcdserverpb.KV/Range') return false;
  // The method says which message it is.
  return (response as RangeResponse).kvs.length > LARGE_ANSWER_KEYS;
}

/** The message as gRPC's frame, in pieces. */
export async function framePieces(
  response: RangeResponse,
  turn: () => Promise<void>,
): Promise<Uint8Array[]> {
  const { header, kvs, more, count } = response;
  const pieces = [RangeResponse.encode(RangeResponse.fromPartial({ header }))];
  for (let at = 0; at < kvs.length; at += PIECE_KEYS) {
    const part = { header: undefined, kvs: kvs.slice(at, at + PIECE_KEYS), more: false, count: 0 };
    pieces.push(RangeResponse.encode(part));
    await turn();
  }
  pieces.push(RangeResponse.encode({ header: undefined, kvs: [], more, count }));
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const prefix = new Uint8Array(5);
  new DataView(prefix.buffer).setUint32(1, bytes);
  return [prefix, ...pieces];
}

const encoder = new TextEncoder();

/** The message as JSON, in pieces. */
export async function jsonPieces(
  response: RangeResponse,
  turn: () => Promise<void>,
): Promise<Uint8Array[]> {
  const { header, kvs, more, count } = response;
  const pieces: Uint8Array[] = [];
  let text = `${json({ header, kvs: [], more: false, count: 0 }).slice(0, -1)}${header === undefined ? '' : ','}"kvs":[`;
  for (let at = 0; at < kvs.length; at += PIECE_KEYS) {
    const part = json({
      header: undefined,
      kvs: kvs.slice(at, at + PIECE_KEYS),
      more: false,
      count: 0,
    });
    text += `${at === 0 ? '' : ','}${part.slice('{"kvs":['.length, -']}'.length)}`;
    pieces.push(encoder.encode(text));
    text = '';
    await turn();
  }
  const rest = json({ header: undefined, kvs: [], more, count }).slice(1);
  pieces.push(encoder.encode(`]${rest === '}' ? '' : ','}${rest}`));
  return pieces;
}

function json(response: RangeResponse): string {
  return messageToJson(RangeResponse, response);
}
