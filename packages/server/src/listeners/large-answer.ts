/**
 * Answers with very many keys or very large ones (ranges, and transactions of ranges), encoded or copied in pieces with a
 * turn for everybody else between them. Put together the pieces are the message: a list's items may be written one message
 * after the other.
 */
import {
  type KeyValue,
  RangeResponse,
  type ResponseHeader,
  type ResponseOp,
  TxnResponse,
} from '@etcd-ts/protocol';
import { kvPieces } from '../kv-pieces.ts';
import { messageToJson } from './gateway/to-json.ts';

/** Keys up to which an answer is encoded in one go, unless it is large in bytes. */
export const LARGE_ANSWER_KEYS = 5_000;
/** Bytes of keys and values up to which an answer is encoded in one go, unless it has many keys. */
export const LARGE_ANSWER_BYTES: number = 4 << 20;

/** An answer that is to be encoded in pieces. */
export type LargeAnswer =
  | { readonly kind: 'range'; readonly response: RangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse };

type Turn = () => Promise<void>;

/** The answer to this method, when it is so large that it is to be encoded in pieces. */
export function largeAnswer(method: string, response: unknown): LargeAnswer | undefined {
  // The method says which message it is.
  if (method === 'etcdserverpb.KV/Range') {
    const range = response as RangeResponse;
    return isLarge(new Size(), range) ? { kind: 'range', response: range } : undefined;
  }
  if (method !== 'etcdserverpb.KV/Txn') return undefined;
  const txn = response as TxnResponse;
  const size = new Size();
  const hasLarge = txn.responses.some((op) => {
    const range = rangeOf(op);
    return range !== undefined && isLarge(size, range);
  });
  return hasLarge ? { kind: 'txn', response: txn } : undefined;
}

/** The message as gRPC's frame, in pieces. */
export async function framePieces(answer: LargeAnswer, turn: Turn): Promise<Uint8Array[]> {
  return framed(
    await (answer.kind === 'range'
      ? rangePieces(answer.response, turn)
      : txnPieces(answer.response, turn)),
  );
}

/** Pieces of a message as gRPC's frame. */
export function framed(pieces: readonly Uint8Array[]): Uint8Array[] {
  const prefix = new Uint8Array(5);
  new DataView(prefix.buffer).setUint32(1, sizeOf(pieces));
  return [prefix, ...pieces];
}

/** The message as JSON, in pieces. */
export async function jsonPieces(answer: LargeAnswer, turn: Turn): Promise<Uint8Array[]> {
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  const texts = answer.kind === 'range' ? rangeTexts(answer.response) : txnTexts(answer.response);
  for (const text of texts) {
    pieces.push(encoder.encode(text));
    await turn();
  }
  return pieces;
}

/** The message with bytes of its own. */
export async function copyInPieces(
  answer: LargeAnswer,
  turn: Turn,
): Promise<RangeResponse | TxnResponse> {
  if (answer.kind === 'range') return copyRange(answer.response, turn);
  const { header, succeeded, responses } = answer.response;
  const copied: ResponseOp[] = [];
  for (const op of responses) {
    const range = rangeOf(op);
    if (range === undefined) {
      const one = { header: undefined, succeeded: false, responses: [op] };
      copied.push(...TxnResponse.copy(one).responses);
      continue;
    }
    const value = await copyRange(range, turn);
    copied.push({ response: { $case: 'responseRange', value } });
  }
  return { ...TxnResponse.copy({ header, succeeded, responses: [] }), responses: copied };
}

/** What was counted of an answer so far. */
class Size {
  keys = 0;
  bytes = 0;
}

function isLarge(size: Size, { kvs }: RangeResponse): boolean {
  size.keys += kvs.length;
  if (size.keys > LARGE_ANSWER_KEYS) return true;
  for (const { key, value } of kvs) size.bytes += key.length + value.length;
  return size.bytes > LARGE_ANSWER_BYTES;
}

function rangeOf({ response }: ResponseOp): RangeResponse | undefined {
  return response?.$case === 'responseRange' ? response.value : undefined;
}

/** What comes before the keys of a range, in a message of its own. */
export function headOf(header: ResponseHeader | undefined): RangeResponse {
  return { header, kvs: [], more: false, count: 0 };
}

/** Keys of a range, likewise. */
export function partOf(kvs: readonly KeyValue[]): RangeResponse {
  return { header: undefined, kvs: kvs as KeyValue[], more: false, count: 0 };
}

/** What comes behind the keys of a range, likewise. */
export function tailOf({ more, count }: Pick<RangeResponse, 'more' | 'count'>): RangeResponse {
  return { header: undefined, kvs: [], more, count };
}

async function rangePieces(response: RangeResponse, turn: Turn): Promise<Uint8Array[]> {
  const { header, kvs, more, count } = response;
  const pieces = [RangeResponse.encode(headOf(header))];
  for (const part of kvPieces(kvs)) {
    pieces.push(RangeResponse.encode(partOf(part)));
    await turn();
  }
  pieces.push(RangeResponse.encode(tailOf({ more, count })));
  return pieces;
}

/** Tags of TxnResponse.responses (3) and of ResponseOp.response_range (1), each of length-delimited bytes. */
const TAG_RESPONSES = (3 << 3) | 2;
const TAG_RESPONSE_RANGE = (1 << 3) | 2;

async function txnPieces(response: TxnResponse, turn: Turn): Promise<Uint8Array[]> {
  const { header, succeeded, responses } = response;
  const pieces = [TxnResponse.encode({ header, succeeded, responses: [] })];
  for (const op of responses) {
    const range = rangeOf(op);
    if (range === undefined) {
      pieces.push(TxnResponse.encode({ header: undefined, succeeded: false, responses: [op] }));
      continue;
    }
    const content = await rangePieces(range, turn);
    const inner = lengthPrefix(TAG_RESPONSE_RANGE, sizeOf(content));
    pieces.push(lengthPrefix(TAG_RESPONSES, inner.length + sizeOf(content)), inner, ...content);
  }
  return pieces;
}

/** A field's tag and the length of its bytes. */
function lengthPrefix(tag: number, length: number): Uint8Array {
  const bytes = [tag];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function* rangeTexts(response: RangeResponse): Generator<string> {
  const { header, kvs, more, count } = response;
  if (kvs.length === 0) {
    yield rangeJson(response);
    return;
  }
  yield headJson(header);
  let isFirst = true;
  for (const part of kvPieces(kvs)) {
    yield `${isFirst ? '' : ','}${itemsJson(part)}`;
    isFirst = false;
  }
  yield tailJson({ more, count });
}

/** A range's JSON up to its first key. */
export function headJson(header: ResponseHeader | undefined): string {
  return `${rangeJson(headOf(header)).slice(0, -1)}${header === undefined ? '' : ','}"kvs":[`;
}

/** Keys of a range, with commas between them. */
export function itemsJson(kvs: readonly KeyValue[]): string {
  return rangeJson(partOf(kvs)).slice('{"kvs":['.length, -']}'.length);
}

/** A range's JSON behind its last key. */
export function tailJson(rest: Pick<RangeResponse, 'more' | 'count'>): string {
  const text = rangeJson(tailOf(rest)).slice(1);
  return `]${text === '}' ? '' : ','}${text}`;
}

function* txnTexts(response: TxnResponse): Generator<string> {
  const head = txnJson({ ...response, responses: [] }).slice(0, -1);
  yield `${head}${head === '{' ? '' : ','}"responses":[`;
  let isFirst = true;
  for (const op of response.responses) {
    if (!isFirst) yield ',';
    isFirst = false;
    const range = rangeOf(op);
    if (range === undefined) {
      const one = txnJson({ header: undefined, succeeded: false, responses: [op] });
      yield one.slice('{"responses":['.length, -']}'.length);
      continue;
    }
    yield '{"response_range":';
    yield* rangeTexts(range);
    yield '}';
  }
  yield ']}';
}

function rangeJson(response: RangeResponse): string {
  return messageToJson(RangeResponse, response);
}

function txnJson(response: TxnResponse): string {
  return messageToJson(TxnResponse, response);
}

async function copyRange(response: RangeResponse, turn: Turn): Promise<RangeResponse> {
  const { header, kvs, more, count } = response;
  const copied: KeyValue[] = [];
  for (const part of kvPieces(kvs)) {
    copyInto(copied, part);
    await turn();
  }
  return { ...RangeResponse.copy({ header, kvs: [], more, count }), kvs: copied };
}

/** Copies keys and values into one buffer, as those of a message on the wire lie: a fraction of the collector's work. */
function copyInto(copied: KeyValue[], kvs: readonly KeyValue[]): void {
  let size = 0;
  for (const { key, value } of kvs) size += key.length + value.length;
  const bytes = new Uint8Array(size);
  let at = 0;
  const taken = (from: Uint8Array): Uint8Array => {
    bytes.set(from, at);
    at += from.length;
    return bytes.subarray(at - from.length, at);
  };
  for (const kv of kvs) copied.push({ ...kv, key: taken(kv.key), value: taken(kv.value) });
}
