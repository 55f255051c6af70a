import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import {
  DecodeError,
  HealthListResponse,
  MAX_NESTING_DEPTH,
  type MessageCodec,
  PutRequest,
  RangeRequest,
  ResponseHeader,
  RPCS,
  TxnRequest,
  WatchRequest,
  WatchResponse,
} from '../src/index.ts';
import { arbitraryMessage } from './arbitrary-message.ts';
import { loadProtos } from './proto-root.ts';

/** Every message that an RPC sends or answers. */
const codecs = new Map<string, MessageCodec<unknown>>(
  RPCS.flatMap((rpc) => [rpc.request, rpc.response]).map((codec) => [codec.typeName, codec]),
);
const oracle = loadProtos({ keepCase: false });

/** A message in the shape of protobufjs, which has no oneof wrappers and takes 64 bits as decimal text. */
function toOracle(codec: MessageCodec<unknown>, message: unknown): Record<string, unknown> {
  const source = message as Record<string, unknown>;
  const target: Record<string, unknown> = {};
  const value = (field: (typeof codec.fields)[number], from: unknown): unknown => {
    if (field.message !== undefined) return toOracle(field.message, from);
    return typeof from === 'bigint' ? from.toString() : from;
  };
  for (const field of codec.fields) {
    const { property, oneof, shape } = field;
    if (oneof !== undefined) {
      const chosen = source[oneof] as { $case: string; value: unknown } | undefined;
      if (chosen?.$case === property) target[property] = value(field, chosen.value);
    } else if (shape === 'list') {
      target[property] = (source[property] as unknown[]).map((item) => value(field, item));
    } else if (shape === 'map') {
      const entries = [...(source[property] as Map<string, unknown>)];
      target[property] = Object.fromEntries(
        entries.map(([key, item]) => [key, value(field, item)]),
      );
    } else if (source[property] !== undefined) {
      target[property] = value(field, source[property]);
    }
  }
  return target;
}

function plain(type: protobuf.Type, bytes: Uint8Array): unknown {
  return type.toObject(type.decode(bytes), { longs: String, defaults: true, bytes: String });
}

describe('every message', () => {
  for (const [name, codec] of codecs) {
    test(`${name} comes back as it was, and protobufjs reads and writes the same`, () => {
      const type = oracle.lookupType(name);
      fc.assert(
        fc.property(arbitraryMessage(codec), (message) => {
          const bytes = codec.encode(message);
          expect(codec.decode(bytes)).toEqual(message);
          const theirs = type.encode(type.fromObject(toOracle(codec, message))).finish();
          expect(plain(type, bytes)).toEqual(plain(type, theirs));
          expect(codec.decode(theirs)).toEqual(message);
        }),
        { numRuns: 40 },
      );
    });
  }

  test('framed for gRPC is the same bytes behind a flag and a length', () => {
    fc.assert(
      fc.property(arbitraryMessage(PutRequest), (message) => {
        const bytes = PutRequest.encode(message);
        const frame = PutRequest.encodeFrame(message);
        const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
        expect([view.getUint8(0), view.getUint32(1)]).toEqual([0, bytes.length]);
        expect(frame.subarray(5)).toEqual(bytes);
      }),
    );
  });

  test('copied is equal and shares no bytes', () => {
    for (const codec of codecs.values()) {
      fc.assert(
        fc.property(arbitraryMessage(codec), (message) => {
          expect(codec.copy(message)).toEqual(message);
        }),
        { numRuns: 10 },
      );
    }
    const request = PutRequest.fromPartial({
      key: new Uint8Array([1]),
      value: new Uint8Array([2]),
    });
    const copy = PutRequest.copy(request);
    request.value[0] = 9;
    expect(copy.value[0]).toBe(2);
  });

  test('made of nothing has every field at its default', () => {
    for (const codec of codecs.values()) {
      expect(codec.fromPartial({})).toEqual(codec.decode(new Uint8Array(0)));
      expect(codec.encode(codec.fromPartial({})).length).toBe(0);
    }
  });
});

describe('numbers', () => {
  test('beyond 2^53 become the nearest number, and the largest stays the largest when written again', () => {
    const type = oracle.lookupType('etcdserverpb.RangeRequest');
    for (const text of ['9223372036854775807', '-9223372036854775808', '9007199254740993']) {
      const bytes = type.encode(type.fromObject({ limit: text })).finish();
      const request = RangeRequest.decode(bytes);
      expect(request.limit).toBe(Number(text));
    }
    const most = RangeRequest.fromPartial({ limit: 2 ** 63 });
    expect(plain(type, RangeRequest.encode(most))).toMatchObject({ limit: '9223372036854775807' });
    const least = RangeRequest.fromPartial({ limit: -(2 ** 64) });
    expect(plain(type, RangeRequest.encode(least))).toMatchObject({
      limit: '-9223372036854775808',
    });
  });

  test('of every bit length are exact', () => {
    for (let bit = 0; bit < 53; bit++) {
      for (const revision of [2 ** bit, -(2 ** bit), 2 ** bit - 1, 1 - 2 ** bit]) {
        const header = ResponseHeader.fromPartial({ revision: revision + 0 });
        expect(ResponseHeader.decode(ResponseHeader.encode(header)).revision).toBe(revision + 0);
      }
    }
    for (let bit = 0n; bit < 64n; bit++) {
      const header = ResponseHeader.fromPartial({
        clusterId: 1n << bit,
        memberId: (1n << bit) - 1n,
      });
      expect(ResponseHeader.decode(ResponseHeader.encode(header))).toEqual(header);
    }
  });
});

describe('what was encoded', () => {
  test('stays as it is while many more are encoded', () => {
    const sizes = [0, 1, 100, 5_000, 40_000, 100_000, 3];
    const all = Array.from({ length: 300 }, (_, i) => {
      const size = sizes[i % sizes.length] ?? 0;
      const request = PutRequest.fromPartial({
        key: new Uint8Array([i % 256]),
        value: new Uint8Array(size).fill(i % 256),
      });
      return { request, bytes: PutRequest.encode(request) };
    });
    for (const { request, bytes } of all) {
      const decoded = PutRequest.decode(bytes);
      expect(Buffer.compare(decoded.value, request.value)).toBe(0);
      expect(decoded.key).toEqual(request.key);
    }
  });

  test('is right after an encoding that threw half way', () => {
    const broken = {
      ...PutRequest.fromPartial({}),
      key: undefined as unknown as Uint8Array,
      value: new Uint8Array(9),
    };
    expect(() => PutRequest.encode(broken)).toThrow(TypeError);
    const request = PutRequest.fromPartial({ key: new Uint8Array([1, 2, 3]) });
    expect(PutRequest.decode(PutRequest.encode(request))).toEqual(request);
  });
});

describe('bytes that are no message', () => {
  const sample = TxnRequest.encode(
    TxnRequest.fromPartial({
      compare: [{ key: new Uint8Array(3), targetUnion: { $case: 'lease', value: -1n } }],
      success: [
        { request: { $case: 'requestPut', value: { key: new Uint8Array(200), lease: 7n } } },
      ],
    }),
  );

  test('cut anywhere give a DecodeError or a shorter message, never anything else', () => {
    for (let end = 0; end < sample.length; end++) {
      try {
        TxnRequest.decode(sample.subarray(0, end));
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
  });

  test('of any kind give a message or a DecodeError', () => {
    const all = [...codecs.values()];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(all.length - 1), (bytes, i) => {
        try {
          all[i]?.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('with a flipped bit give a message or a DecodeError', () => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const bytes = new Uint8Array(sample);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        TxnRequest.decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
  });

  const cases: [string, number[], RegExp][] = [
    ['a length beyond the end', [10, 100, 1], /unexpected EOF/],
    [
      'a length of 2^63',
      [10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      /unexpected EOF/,
    ],
    ['a varint of 11 bytes', [24, ...Array<number>(10).fill(0x80), 1], /longer than 10 bytes/],
    ['a varint without end', [24, 0x80], /unexpected EOF/],
    ['field number 0', [2, 0], /illegal tag/],
    ['wire type 7', [15], /illegal wire type 7/],
    ['the end of a group that never began', [12], /illegal wire type 4/],
    ['a group that never ends', [0x9b, 6], /unexpected EOF/],
  ];
  for (const [what, bytes, message] of cases) {
    test(`${what} is refused`, () => {
      expect(() => RangeRequest.decode(new Uint8Array(bytes))).toThrow(message);
    });
  }

  test('with a string that is not UTF-8 are refused', () => {
    expect(() => WatchResponse.decode(new Uint8Array([50, 2, 0xc3, 0x28]))).toThrow(/not UTF-8/);
  });

  test('nested without end are refused before the call stack is', () => {
    const deep = nestedTxn(MAX_NESTING_DEPTH);
    expect(() => TxnRequest.decode(deep)).toThrow(/nested deeper/);
    expect(() => TxnRequest.decode(nestedTxn(MAX_NESTING_DEPTH / 2 - 1))).not.toThrow();
  });

  test('that hold unknown fields of every wire type are read past them', () => {
    const unknown = [
      [0x98, 0x06, 0x05], // field 99, varint
      [0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // field 99, 64 bits
      [0x9a, 0x06, 2, 1, 2], // field 99, bytes
      [0x9b, 0x06, 0x08, 0x01, 0x9c, 0x06], // field 99, a group with a field
      [0x9d, 0x06, 1, 2, 3, 4], // field 99, 32 bits
    ].flat();
    const bytes = new Uint8Array([...unknown, 10, 1, 65, ...unknown]);
    expect(RangeRequest.decode(bytes).key).toEqual(new Uint8Array([65]));
  });
});

/** So many transactions inside one another, each in the success list of the one around it. */
function nestedTxn(count: number): Uint8Array {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  let bytes: number[] = [];
  for (let i = 0; i < count; i++) {
    const op = [34, ...varint(bytes.length), ...bytes];
    bytes = [18, ...varint(op.length), ...op];
  }
  return new Uint8Array(bytes);
}

describe('lists and maps', () => {
  test('of enums are read packed and one by one', () => {
    const packed = new Uint8Array([10, 4, 42, 2, 0, 1]);
    const single = new Uint8Array([10, 4, 40, 0, 40, 1]);
    for (const bytes of [packed, single]) {
      const { requestUnion } = WatchRequest.decode(bytes);
      expect(requestUnion?.$case === 'createRequest' && requestUnion.value.filters).toEqual([0, 1]);
    }
  });

  test('with an entry that lacks key or value take their defaults', () => {
    const { statuses } = HealthListResponse.decode(new Uint8Array([10, 0, 10, 3, 10, 1, 65]));
    expect([...statuses]).toEqual([
      ['', { status: 0 }],
      ['A', { status: 0 }],
    ]);
  });
});
