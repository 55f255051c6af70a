import { concatBytes } from '@etcd-ts/base';
import { RangeResponse, type ResponseOp, TxnResponse } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import {
  copyInPieces,
  framePieces,
  jsonPieces,
  LARGE_ANSWER_BYTES,
  LARGE_ANSWER_KEYS,
  type LargeAnswer,
  largeAnswer,
} from '../../src/listeners/large-answer.ts';
import { PIECE_BYTES, PIECE_KEYS } from '../../src/kv-pieces.ts';

const RANGE = 'etcdserverpb.KV/Range';
const TXN = 'etcdserverpb.KV/Txn';

function range(keys: number, more = true, valueBytes?: number): RangeResponse {
  return RangeResponse.fromPartial({
    header: { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 },
    kvs: Array.from({ length: keys }, (_, i) => ({
      key: new TextEncoder().encode(`k${i}`),
      value: new Uint8Array(valueBytes ?? i % 50),
      modRevision: i,
      version: 1,
      createRevision: i,
    })),
    more,
    count: keys,
  });
}

function txn(...responses: (RangeResponse | 'put')[]): TxnResponse {
  const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };
  const put: ResponseOp['response'] = {
    $case: 'responsePut',
    value: { header: { ...header, revision: 9 }, prevKv: undefined },
  };
  return {
    header,
    succeeded: true,
    responses: responses.map((value) => ({
      response: value === 'put' ? put : { $case: 'responseRange', value },
    })),
  };
}

/** Pieces of an answer, as what they are put together; and how many turns others had. */
async function inPieces(
  answer: LargeAnswer,
): Promise<{ frame: Uint8Array; json: string; copy: unknown; turns: number }> {
  let turns = 0;
  const turn = (): Promise<void> => {
    turns += 1;
    return Promise.resolve();
  };
  const frame = concatBytes(await framePieces(answer, turn));
  const framed = turns;
  const json = new TextDecoder().decode(concatBytes(await jsonPieces(answer, turn)));
  return { frame, json, copy: await copyInPieces(answer, turn), turns: framed };
}

test.each([
  ['whole pieces', range(3 * PIECE_KEYS)],
  ['a part of a piece', range(2 * PIECE_KEYS + 7)],
  ['no more', range(PIECE_KEYS + 1, false)],
  ['no header', { ...range(PIECE_KEYS + 1), header: undefined }],
  ['nothing behind the keys', { ...range(PIECE_KEYS + 1, false), count: 0 }],
])('pieces of %s are the frame, the JSON and a copy of the whole', async (_, response) => {
  const { frame, json, copy, turns } = await inPieces({ kind: 'range', response });
  expect(Buffer.compare(frame, RangeResponse.encodeFrame(response))).toBe(0);
  expect(json).toBe(messageToJson(RangeResponse, response));
  expect(isSame(RangeResponse.encode(copy as RangeResponse), RangeResponse.encode(response))).toBe(
    true,
  );
  expect(turns).toBe(Math.ceil(response.kvs.length / PIECE_KEYS));
});

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

test('pieces of large values end by their bytes', async () => {
  const response = range(9, false, PIECE_BYTES / 2);
  const { frame, turns } = await inPieces({ kind: 'range', response });
  expect(isSame(frame, RangeResponse.encodeFrame(response))).toBe(true);
  expect(turns).toBe(5);
});

test.each([
  ['a large range alone', txn(range(2 * PIECE_KEYS + 1))],
  ['much and little', txn(range(1), 'put', range(PIECE_KEYS + 1), range(0, false), 'put')],
  ['no header', { ...txn(range(PIECE_KEYS), 'put'), header: undefined, succeeded: false }],
  [
    'empty ranges',
    txn({ ...range(0, false), header: undefined }, { ...range(0), header: undefined }),
  ],
])('pieces of a transaction with %s are its frame, its JSON and a copy', async (_, response) => {
  const { frame, json, copy } = await inPieces({ kind: 'txn', response });
  expect(isSame(frame, TxnResponse.encodeFrame(response))).toBe(true);
  expect(json).toBe(messageToJson(TxnResponse, response));
  expect(isSame(TxnResponse.encode(copy as TxnResponse), TxnResponse.encode(response))).toBe(true);
});

test('a copy shares no bytes with its original', async () => {
  const response = range(3);
  const copy = (await copyInPieces(
    { kind: 'range', response },
    async () => undefined,
  )) as RangeResponse;
  response.kvs[1]?.key.fill(0);
  expect(Buffer.from(copy.kvs[1]?.key ?? []).toString()).toBe('k1');
});

test('only what has many keys or many bytes is cut', () => {
  const [few, many] = [range(LARGE_ANSWER_KEYS), range(LARGE_ANSWER_KEYS + 1)];
  expect(largeAnswer(RANGE, few)).toBe(undefined);
  expect(largeAnswer(RANGE, many)).toEqual({ kind: 'range', response: many });
  expect(largeAnswer('etcdserverpb.KV/Put', many)).toBe(undefined);
  expect(largeAnswer(RANGE, range(4, false, LARGE_ANSWER_BYTES / 4))?.kind).toBe('range');
  expect(largeAnswer(RANGE, range(3, false, LARGE_ANSWER_BYTES / 4))).toBe(undefined);
  expect(largeAnswer(TXN, txn(few, 'put'))).toBe(undefined);
  expect(largeAnswer(TXN, txn(few, 'put', range(1)))?.kind).toBe('txn');
});
