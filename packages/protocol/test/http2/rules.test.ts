/** The rules of RFC 9113 for what a client sends, one by one, in the manner of h2spec. */
import { concatBytes } from '@etcd-ts/base';
import { describe, expect, test } from 'vitest';
import { Http2Connection } from '../../src/http2/connection.ts';
import { ErrorCode, Flag, FrameType, Setting } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';
import { PingPolicy } from '../../src/http2/ping-policy.ts';
import { frame, framesOf, HELLO, open, type ReadFrame, requestBlock, word } from './frames.ts';

/** What a server says to these bytes after its greeting, and how many streams it took. */
function says(...bytes: readonly Uint8Array[]): { frames: ReadFrame[]; taken: number } {
  let taken = 0;
  const connection = new Http2Connection(
    {
      onStream: () => {
        taken += 1;
      },
      onOutput: () => undefined,
      onFinished: () => undefined,
    },
    { maxStreams: 10, pings: new PingPolicy(0), monotonicMs: () => 0 },
  );
  connection.receive(HELLO);
  connection.takeOutput();
  connection.receive(concatBytes(bytes));
  return { frames: framesOf(connection.takeOutput()), taken };
}

/** The code with which the connection ended; undefined when it did not. */
function ended(...bytes: readonly Uint8Array[]): number | undefined {
  const last = says(...bytes).frames.find(({ type }) => type === FrameType.GOAWAY);
  return last?.payload[7];
}

const PLAIN: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a'],
];
const setting = (id: number, value: number): Uint8Array =>
  frame(FrameType.SETTINGS, 0, 0, [0, id, ...word(value)]);

describe('a connection ends for', () => {
  const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, COMPRESSION_ERROR } =
    ErrorCode;
  const eight = new Uint8Array(8);
  test.each<[string, number, Uint8Array[]]>([
    ['5.1 DATA on an idle stream', PROTOCOL_ERROR, [frame(FrameType.DATA, 0, 1, [1])]],
    [
      '5.1 RST_STREAM on an idle stream',
      PROTOCOL_ERROR,
      [frame(FrameType.RST_STREAM, 0, 1, word(8))],
    ],
    [
      '5.1 WINDOW_UPDATE on an idle stream',
      PROTOCOL_ERROR,
      [frame(FrameType.WINDOW_UPDATE, 0, 1, word(8))],
    ],
    ['5.1 CONTINUATION by itself', PROTOCOL_ERROR, [frame(FrameType.CONTINUATION, 4, 1)]],
    [
      '5.1 DATA after END_STREAM',
      STREAM_CLOSED,
      [frame(FrameType.HEADERS, 5, 1, requestBlock()), frame(FrameType.DATA, 0, 1, [1])],
    ],
    [
      '5.1 HEADERS after END_STREAM',
      PROTOCOL_ERROR,
      [
        frame(FrameType.HEADERS, 5, 1, requestBlock()),
        frame(FrameType.HEADERS, 5, 1, requestBlock()),
      ],
    ],
    ['5.1.1 a stream with an even number', PROTOCOL_ERROR, [open(2)]],
    ['6.1 DATA on the connection', PROTOCOL_ERROR, [frame(FrameType.DATA, 0, 0, [1])]],
    [
      '6.1 DATA with more padding than payload',
      PROTOCOL_ERROR,
      [open(1), frame(FrameType.DATA, Flag.PADDED, 1, [5, 1])],
    ],
    ['6.2 HEADERS on the connection', PROTOCOL_ERROR, [open(0)]],
    [
      '6.2 HEADERS with more padding than payload',
      PROTOCOL_ERROR,
      [frame(FrameType.HEADERS, 4 | Flag.PADDED, 1, [9, 0x83])],
    ],
    [
      '6.2 HEADERS without the priority that they announce',
      FRAME_SIZE_ERROR,
      [frame(FrameType.HEADERS, 4 | Flag.PRIORITY, 1, [0, 0])],
    ],
    [
      '6.2 another frame inside a header block',
      PROTOCOL_ERROR,
      [frame(FrameType.HEADERS, 0, 1, [0x83]), frame(FrameType.PING, 0, 0, eight)],
    ],
    [
      '6.10 CONTINUATION of another stream',
      PROTOCOL_ERROR,
      [frame(FrameType.HEADERS, 0, 1, [0x83]), frame(FrameType.CONTINUATION, 4, 3)],
    ],
    [
      '6.3 PRIORITY on the connection',
      PROTOCOL_ERROR,
      [frame(FrameType.PRIORITY, 0, 0, new Uint8Array(5))],
    ],
    [
      '6.3 PRIORITY of another length',
      FRAME_SIZE_ERROR,
      [frame(FrameType.PRIORITY, 0, 1, new Uint8Array(4))],
    ],
    [
      '6.4 RST_STREAM on the connection',
      PROTOCOL_ERROR,
      [frame(FrameType.RST_STREAM, 0, 0, word(8))],
    ],
    [
      '6.4 RST_STREAM of another length',
      FRAME_SIZE_ERROR,
      [open(1), frame(FrameType.RST_STREAM, 0, 1, [8])],
    ],
    ['6.5 SETTINGS on a stream', PROTOCOL_ERROR, [frame(FrameType.SETTINGS, 0, 1)]],
    [
      '6.5 SETTINGS of another length',
      FRAME_SIZE_ERROR,
      [frame(FrameType.SETTINGS, 0, 0, [0, 1, 0])],
    ],
    [
      '6.5 SETTINGS that acknowledge with content',
      FRAME_SIZE_ERROR,
      [frame(FrameType.SETTINGS, Flag.ACK, 0, [0, 1, 0, 0, 0, 0])],
    ],
    ['6.5.2 ENABLE_PUSH of 2', PROTOCOL_ERROR, [setting(Setting.ENABLE_PUSH, 2)]],
    [
      '6.5.2 a window beyond the largest',
      FLOW_CONTROL_ERROR,
      [setting(Setting.INITIAL_WINDOW_SIZE, 0x8000_0000)],
    ],
    [
      '6.5.2 frames smaller than there may be',
      PROTOCOL_ERROR,
      [setting(Setting.MAX_FRAME_SIZE, 16_383)],
    ],
    [
      '6.5.2 frames larger than there may be',
      PROTOCOL_ERROR,
      [setting(Setting.MAX_FRAME_SIZE, 0x100_0000)],
    ],
    ['6.6 PUSH_PROMISE', PROTOCOL_ERROR, [open(1), frame(FrameType.PUSH_PROMISE, 4, 1, word(2))]],
    ['6.7 PING on a stream', PROTOCOL_ERROR, [open(1), frame(FrameType.PING, 0, 1, eight)]],
    ['6.7 PING of another length', FRAME_SIZE_ERROR, [frame(FrameType.PING, 0, 0, [1])]],
    ['6.8 GOAWAY on a stream', PROTOCOL_ERROR, [open(1), frame(FrameType.GOAWAY, 0, 1, eight)]],
    ['6.8 GOAWAY that is too short', FRAME_SIZE_ERROR, [frame(FrameType.GOAWAY, 0, 0, [1])]],
    [
      '6.9 WINDOW_UPDATE of nothing',
      PROTOCOL_ERROR,
      [frame(FrameType.WINDOW_UPDATE, 0, 0, word(0))],
    ],
    [
      '6.9 WINDOW_UPDATE of another length',
      FRAME_SIZE_ERROR,
      [frame(FrameType.WINDOW_UPDATE, 0, 0, [1])],
    ],
    [
      '6.9.1 a window widened beyond the largest',
      FLOW_CONTROL_ERROR,
      [frame(FrameType.WINDOW_UPDATE, 0, 0, word(0x7fff_ffff))],
    ],
    [
      '6.9.1 the same of a stream',
      FLOW_CONTROL_ERROR,
      [open(1), frame(FrameType.WINDOW_UPDATE, 0, 1, word(0x7fff_ffff))],
    ],
    [
      '4.2 a frame that is too large',
      FRAME_SIZE_ERROR,
      [open(1), frame(FrameType.DATA, 0, 1, new Uint8Array(16_385))],
    ],
    [
      '4.3 a header block that is none',
      COMPRESSION_ERROR,
      [open(1, new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff]))],
    ],
    ['HPACK 2.3.3 an index beyond the table', COMPRESSION_ERROR, [open(1, new Uint8Array([0xc8]))]],
    [
      'HPACK 4.2 a table larger than allowed',
      COMPRESSION_ERROR,
      [open(1, new Uint8Array([0x3f, 0xe2, 0x1f]))],
    ],
    [
      'HPACK 5.2 padding that is none',
      COMPRESSION_ERROR,
      [open(1, new Uint8Array([0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x87, 0xff, 0xff, 0x81, 0]))],
    ],
    ['HPACK 6.1 index 0', COMPRESSION_ERROR, [open(1, new Uint8Array([0x80]))]],
    [
      'HPACK 6.3 a table resized after a header',
      COMPRESSION_ERROR,
      [open(1, new Uint8Array([0x83, 0x20]))],
    ],
  ])('%s', (_, code, bytes) => {
    expect(ended(...bytes)).toBe(code);
  });
});

describe('a stream alone ends for', () => {
  const change = (name: string, value?: string): (readonly [string, string])[] =>
    PLAIN.flatMap(([each, text]): (readonly [string, string])[] =>
      each !== name ? [[each, text]] : value === undefined ? [] : [[each, value]],
    );
  test.each<[string, (readonly [string, string])[]]>([
    ['8.2.1 a name in upper case', [...PLAIN, ['X-Test', 'a']]],
    ['8.2.1 a name with a space', [...PLAIN, ['a b', 'c']]],
    ['8.2.1 a name without a character', [...PLAIN, ['', 'c']]],
    ['8.2.1 a value with a line end', [...PLAIN, ['a', 'b\r\nevil: c']]],
    ['8.2.1 a value with a zero byte', [...PLAIN, ['a', 'b\0']]],
    ['8.2.1 a value with space around it', [...PLAIN, ['a', ' b']]],
    ['8.2.2 connection', [...PLAIN, ['connection', 'keep-alive']]],
    ['8.2.2 transfer-encoding', [...PLAIN, ['transfer-encoding', 'chunked']]],
    ['8.2.2 te for anything but trailers', [...PLAIN, ['te', 'trailers, deflate']]],
    ['8.3 a pseudo-header that there is not', [...PLAIN, [':test', 'a']]],
    ['8.3 a pseudo-header of responses', [...PLAIN, [':status', '200']]],
    ['8.3 a pseudo-header after others', [['a', 'b'], ...PLAIN]],
    ['8.3 a pseudo-header twice', [...PLAIN, [':path', '/b']]],
    ['8.3.1 no method', change(':method')],
    ['8.3.1 no scheme', change(':scheme')],
    ['8.3.1 no path', change(':path')],
    ['8.3.1 an empty path', change(':path', '')],
  ])('%s', (_, headers) => {
    const { frames, taken } = says(open(1, headerBlock(headers)), open(3));
    expect(taken).toBe(1);
    expect(frames.map(({ type, streamId, payload }) => [type, streamId, payload[3]])).toEqual([
      [FrameType.RST_STREAM, 1, ErrorCode.PROTOCOL_ERROR],
    ]);
  });

  test('8.1 trailers with a pseudo-header', () => {
    const trailers = headerBlock([[':status', '200']]);
    const { frames } = says(open(1), frame(FrameType.HEADERS, 5, 1, trailers));
    expect(frames.map(({ type }) => type)).toEqual([FrameType.RST_STREAM]);
  });

  test('malformed requests without end are a flood', () => {
    const bad = headerBlock([...PLAIN, ['A', 'b']]);
    const many = Array.from({ length: 2_000 }, (_, i) => open(2 * i + 1, bad));
    expect(ended(...many)).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});

describe('what is passed over', () => {
  test.each<[string, Uint8Array[]]>([
    ['5.5 a frame of an unknown type', [frame(0xee, 0xff, 0, [1]), frame(0xee, 0, 9, [])]],
    ['6.5.2 an unknown setting', [setting(0x99, 5)]],
    ['4.1 flags without a meaning', [frame(FrameType.PING, 0xfe, 0, new Uint8Array(8))]],
    [
      '6.3 PRIORITY of a stream in any state',
      [frame(FrameType.PRIORITY, 0, 99, new Uint8Array(5))],
    ],
    [
      '6.9 WINDOW_UPDATE of a stream that is gone',
      [
        open(1),
        frame(FrameType.RST_STREAM, 0, 1, word(8)),
        frame(FrameType.WINDOW_UPDATE, 0, 1, word(5)),
      ],
    ],
    [
      '6.1 DATA of a stream that was reset',
      [open(1), frame(FrameType.RST_STREAM, 0, 1, word(8)), frame(FrameType.DATA, 0, 1, [1])],
    ],
    [
      '8.3 an authority',
      [open(1, headerBlock([...PLAIN, [':authority', 'a:1'], ['te', 'trailers']]))],
    ],
  ])('%s', (_, bytes) => {
    expect(ended(...bytes)).toBeUndefined();
  });
});
