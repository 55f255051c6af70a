import { concatBytes } from '@etcd-ts/base';
import { RangeResponse } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import {
  framePieces,
  isLargeRange,
  jsonPieces,
  LARGE_ANSWER_KEYS,
  PIECE_KEYS,
} from '../../src/listeners/large-answer.ts';

function range(keys: number, more = true): RangeResponse {
  return RangeResponse.fromPartial({
    header: { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 },
    kvs: Array.from({ length: keys }, (_, i) => ({
      key: new TextEncoder().encode(`k${i}`),
      value: new Uint8Array(i % 50),
      modRevision: i,
      version: 1,
      createRevision: i,
    })),
    more,
    count: keys,
  });
}

test.each([
  ['whole pieces', range(3 * PIECE_KEYS)],
  ['a part of a piece', range(2 * PIECE_KEYS + 7)],
  ['no more', range(PIECE_KEYS + 1, false)],
  ['no header', { ...range(PIECE_KEYS + 1), header: undefined }],
  ['nothing behind the keys', { ...range(PIECE_KEYS + 1, false), count: 0 }],
])('pieces of %s are the frame and the JSON of the whole', async (_, response) => {
  let turns = 0;
  const turn = (): Promise<void> => {
    turns += 1;
    return Promise.resolve();
  };
  const frame = await framePieces(response, turn);
  expect(Buffer.compare(concatBytes(frame), RangeResponse.encodeFrame(response))).toBe(0);
  expect(turns).toBe(Math.ceil(response.kvs.length / PIECE_KEYS));
  const json = await jsonPieces(response, turn);
  expect(new TextDecoder().decode(concatBytes(json))).toBe(messageToJson(RangeResponse, response));
});

test('only ranges of many keys are cut', () => {
  expect(isLargeRange('etcdserverpb.KV/Range', range(LARGE_ANSWER_KEYS))).toBe(false);
  expect(isLargeRange('etcdserverpb.KV/Range', range(LARGE_ANSWER_KEYS + 1))).toBe(true);
  expect(isLargeRange('etcdserverpb.KV/Put', range(LARGE_ANSWER_KEYS + 1))).toBe(false);
});
