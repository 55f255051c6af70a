import { concatBytes } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Http2Connection, MAX_WAITING_BYTES, RESET_BURST } from '../../src/http2/connection.ts';
import {
  CONNECTION_WINDOW_BYTES,
  MAX_CONTINUATIONS,
  MAX_OUTPUT_BYTES,
  STREAM_WINDOW_BYTES,
} from '../../src/http2/connection-core.ts';
import { IDLE_FRAME_BURST } from '../../src/http2/idle-frames.ts';
import { ErrorCode, Flag, FrameType, PREFACE } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';
import { type Http2Stream, STREAM_HIGH_WATER_BYTES } from '../../src/http2/stream.ts';
import { PingPolicy } from '../../src/http2/ping-policy.ts';
import { frame, framesOf, HELLO, open, type ReadFrame, requestBlock, word } from './frames.ts';

const TRAILERS = headerBlock([['grpc-status', '0']]);

interface World {
  readonly connection: Http2Connection;
  readonly streams: Http2Stream[];
  /** What happened to the streams, in order. */
  readonly log: string[];
  finished: boolean;
  readonly clock: { nowMs: number };
  /** Sends bytes to the server, and gives the frames that come back. */
  send(...parts: readonly Uint8Array[]): ReadFrame[];
}

function world({ maxStreams = 100 }: { maxStreams?: number } = {}): World {
  const clock = { nowMs: 0 };
  const streams: Http2Stream[] = [];
  const log: string[] = [];
  const connection = new Http2Connection(
    {
      onStream: (stream) => {
        streams.push(stream);
        const say = (what: string) => (): void => void log.push(`${what} ${stream.id}`);
        stream.user = {
          onData: (bytes) => void log.push(`data ${stream.id} ${bytes.length}`),
          onEnd: say('end'),
          onDrain: say('drain'),
          onClose: say('close'),
        };
      },
      onOutput: () => undefined,
      onFinished: () => {
        made.finished = true;
      },
    },
    { maxStreams, pings: new PingPolicy(5_000), monotonicMs: () => clock.nowMs },
  );
  const made: World = {
    connection,
    streams,
    log,
    finished: false,
    clock,
    send: (...parts) => {
      connection.receive(concatBytes(parts));
      return framesOf(connection.takeOutput());
    },
  };
  return made;
}

/** A connection that has said hello. */
function ready(options?: { maxStreams?: number }): World {
  const made = world(options);
  made.send(HELLO);
  return made;
}

/** Code and text of the GOAWAY among these frames. */
function goAway(frames: readonly ReadFrame[]): [number, string] {
  const last = frames.find(({ type }) => type === FrameType.GOAWAY);
  const payload = last?.payload ?? new Uint8Array(8);
  return [payload[7] ?? -1, Buffer.from(payload.subarray(8)).toString()];
}

const dataBytes = (frames: readonly ReadFrame[]): number =>
  frames.reduce(
    (sum, { type, payload }) => (type === FrameType.DATA ? sum + payload.length : sum),
    0,
  );

describe('the beginning', () => {
  test("the server sends its settings and a wide window first, and acknowledges the client's", () => {
    const [settings, window, ack] = world().send(HELLO);
    expect([settings?.type, settings?.streamId]).toEqual([FrameType.SETTINGS, 0]);
    expect([window?.type, window?.streamId]).toEqual([FrameType.WINDOW_UPDATE, 0]);
    expect([ack?.type, ack?.flags]).toEqual([FrameType.SETTINGS, Flag.ACK]);
  });

  test('another protocol is hung up on', () => {
    const made = world();
    expect(goAway(made.send(new TextEncoder().encode('GET / HTTP/1.1\r\n')))).toEqual([
      ErrorCode.PROTOCOL_ERROR,
      'not HTTP/2',
    ]);
    expect(made.finished).toBe(true);
    expect(made.send(HELLO)).toEqual([]);
  });

  test('another frame before SETTINGS is an error', () => {
    expect(
      goAway(world().send(PREFACE, frame(FrameType.PING, 0, 0, word(0).concat(word(0)))))[0],
    ).toBe(ErrorCode.PROTOCOL_ERROR);
  });
});

describe('a call', () => {
  test('goes from headers over data to trailers', () => {
    const made = ready();
    made.send(open(1), frame(FrameType.DATA, Flag.END_STREAM, 1, [1, 2, 3]));
    expect(made.log).toEqual(['data 1 3', 'end 1']);
    const [stream] = made.streams;
    stream?.respond(headerBlock([[':status', '200']]));
    stream?.write(new Uint8Array(5));
    stream?.end(TRAILERS);
    const frames = framesOf(made.connection.takeOutput());
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [FrameType.HEADERS, Flag.END_HEADERS],
      [FrameType.DATA, 0],
      [FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM],
    ]);
    expect(made.log.at(-1)).toBe('close 1');
    expect(made.connection.streamCount).toBe(0);
  });

  test('comes in whatever pieces the network makes of it', () => {
    const bytes = concatBytes([
      HELLO,
      open(1),
      frame(FrameType.DATA, Flag.PADDED, 1, [2, 7, 7, 7, 0, 0]),
      frame(FrameType.DATA, Flag.END_STREAM, 1, new Uint8Array(300)),
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const made = world();
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          made.connection.receive(bytes.slice(at, at + size));
          at += size;
        }
        expect(made.log).toEqual(['data 1 3', 'data 1 300', 'end 1']);
      }),
    );
  });

  test('may have its headers in pieces', () => {
    const made = ready();
    const block = requestBlock();
    made.send(
      frame(FrameType.HEADERS, Flag.END_STREAM, 1, block.subarray(0, 5)),
      frame(FrameType.CONTINUATION, 0, 1, block.subarray(5, 9)),
      frame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, block.subarray(9)),
    );
    expect(made.streams[0]?.headers.slice(0, 2)).toEqual([':method', 'POST']);
    expect(made.log).toEqual(['end 1']);
  });

  test('that the client resets is closed, and late frames for it are passed over', () => {
    const made = ready();
    made.send(open(1), frame(FrameType.RST_STREAM, 0, 1, word(ErrorCode.CANCEL)));
    expect(made.log).toEqual(['close 1']);
    const frames = made.send(
      frame(FrameType.DATA, 0, 1, [1]),
      frame(FrameType.WINDOW_UPDATE, 0, 1, word(5)),
    );
    expect([frames, made.finished, made.log]).toEqual([[], false, ['close 1']]);
    expect(made.streams[0]?.write(new Uint8Array(1))).toBe(false);
    expect(made.connection.takeOutput()).toEqual([]);
  });

  test('that the server ends first is ended for the client too', () => {
    const made = ready();
    made.send(open(1));
    made.streams[0]?.end(TRAILERS);
    const frames = framesOf(made.connection.takeOutput());
    expect(frames.map(({ type }) => type)).toEqual([FrameType.HEADERS, FrameType.RST_STREAM]);
    expect([...(frames[1]?.payload ?? [])]).toEqual(word(ErrorCode.NO_ERROR));
  });

  test('that the server breaks off is reset once, and what waits for it is dropped', () => {
    const made = ready();
    made.send(open(1));
    const [stream] = made.streams;
    stream?.write(new Uint8Array(100_000));
    made.connection.takeOutput();
    stream?.reset(ErrorCode.INTERNAL_ERROR);
    stream?.reset(ErrorCode.INTERNAL_ERROR);
    const frames = framesOf(made.connection.takeOutput());
    expect(frames.map(({ type }) => type)).toEqual([FrameType.RST_STREAM]);
    expect([...(frames[0]?.payload ?? [])]).toEqual(word(ErrorCode.INTERNAL_ERROR));
    expect(made.log).toEqual(['close 1']);
    expect([made.connection.streamCount, made.connection.waitingBytes]).toEqual([0, 0]);
  });

  test('beyond the limit is refused, and its headers still count for the table', () => {
    const made = ready({ maxStreams: 1 });
    const kept = concatBytes([requestBlock(), new Uint8Array([0x40, 1, 0x61, 1, 0x62])]);
    const [refusal] = made.send(open(1), open(3, kept));
    expect([refusal?.type, refusal?.streamId, ...(refusal?.payload ?? [])]).toEqual([
      FrameType.RST_STREAM,
      3,
      ...word(ErrorCode.REFUSED_STREAM),
    ]);
    made.streams[0]?.end(TRAILERS);
    made.send(open(5, concatBytes([requestBlock(), new Uint8Array([0xbe])])));
    expect(made.streams[1]?.headers.slice(-2)).toEqual(['a', 'b']);
  });
});

describe('flow control', () => {
  test('what is sent stays within the window of the stream, and goes on when it widens', () => {
    const made = ready();
    made.send(open(1), frame(FrameType.DATA, Flag.END_STREAM, 1));
    const stream = made.streams[0] as Http2Stream;
    stream.respond(TRAILERS);
    expect(stream.write(new Uint8Array(200_000))).toBe(false);
    stream.end(TRAILERS);
    expect(dataBytes(framesOf(made.connection.takeOutput()))).toBe(65_535);
    made.send(frame(FrameType.WINDOW_UPDATE, 0, 0, word(1 << 20)));
    const more = made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(100_000)));
    expect(dataBytes(more)).toBe(100_000);
    const rest = made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(100_000)));
    expect(dataBytes(rest)).toBe(200_000 - 165_535);
    expect(rest.at(-1)?.flags).toBe(Flag.END_HEADERS | Flag.END_STREAM);
    for (const { payload } of [...more, ...rest])
      expect(payload.length).toBeLessThanOrEqual(16_384);
  });

  test('streams share the window of the connection in turns', () => {
    const made = ready();
    made.send(open(1), open(3));
    for (const stream of made.streams) stream.write(new Uint8Array(60_000));
    expect(dataBytes(framesOf(made.connection.takeOutput()))).toBe(65_535);
    const frames = made.send(frame(FrameType.WINDOW_UPDATE, 0, 0, word(1 << 20)));
    expect(dataBytes(frames)).toBe(120_000 - 65_535);
  });

  test('a change of the initial window changes every stream, below zero if need be', () => {
    const made = ready();
    made.send(open(1));
    const stream = made.streams[0] as Http2Stream;
    stream.write(new Uint8Array(65_535));
    made.send(
      frame(FrameType.SETTINGS, 0, 0, [0, 4, ...word(1_000)]),
      frame(FrameType.WINDOW_UPDATE, 0, 0, word(1 << 20)),
    );
    stream.write(new Uint8Array(10));
    made.connection.takeOutput();
    expect(dataBytes(made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(64_535))))).toBe(0);
    expect(dataBytes(made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(10))))).toBe(10);
  });

  test('a sender hears when it has to wait, and when there is room again', () => {
    const made = ready();
    made.send(open(1), frame(FrameType.WINDOW_UPDATE, 0, 0, word(1 << 24)));
    const stream = made.streams[0] as Http2Stream;
    expect(stream.write(new Uint8Array(65_535))).toBe(true);
    expect(stream.write(new Uint8Array(STREAM_HIGH_WATER_BYTES))).toBe(false);
    expect(stream.needsDrain).toBe(true);
    made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(STREAM_HIGH_WATER_BYTES)));
    expect(made.log).toEqual(['drain 1']);
    expect(stream.needsDrain).toBe(false);
  });

  test('a large answer leaves in portions, so that it is never twice in memory and others get their turn', () => {
    const made = ready();
    const wide = word(1 << 30);
    made.send(open(1), open(3), frame(FrameType.WINDOW_UPDATE, 0, 0, wide));
    made.send(
      frame(FrameType.WINDOW_UPDATE, 0, 1, wide),
      frame(FrameType.WINDOW_UPDATE, 0, 3, wide),
    );
    const [large, small] = made.streams;
    large?.write(new Uint8Array(10 * MAX_OUTPUT_BYTES));
    small?.write(new Uint8Array(100));
    const portions: string[] = [];
    for (let sent = 0; sent < 10 * MAX_OUTPUT_BYTES + 100;) {
      const frames = framesOf(made.connection.takeOutput());
      expect(dataBytes(frames)).toBeLessThanOrEqual(MAX_OUTPUT_BYTES);
      sent += dataBytes(frames);
      portions.push([...new Set(frames.map(({ streamId }) => streamId))].join());
      made.connection.setCongested(false);
    }
    expect(portions.slice(0, 3)).toEqual(['1', '1', '3,1']);
  });

  test('nothing leaves while the socket is congested', () => {
    const made = ready();
    made.send(open(1));
    made.connection.setCongested(true);
    expect(made.streams[0]?.write(new Uint8Array(10))).toBe(false);
    expect(made.connection.takeOutput()).toEqual([]);
    made.connection.setCongested(false);
    expect(dataBytes(framesOf(made.connection.takeOutput()))).toBe(10);
    expect(made.log).toEqual(['drain 1']);
  });

  test('the client gets its window back as it is used, but not on a stream that is paused', () => {
    const made = ready();
    made.send(open(1), open(3));
    made.streams[1]?.pause();
    const chunk = new Uint8Array(16_384);
    const updated: number[] = [];
    for (let i = 0; i < STREAM_WINDOW_BYTES / chunk.length; i++) {
      const frames = made.send(
        frame(FrameType.DATA, 0, 1, chunk),
        frame(FrameType.DATA, 0, 3, chunk),
      );
      for (const { type, streamId } of frames)
        if (type === FrameType.WINDOW_UPDATE) updated.push(streamId);
    }
    expect(updated).toContain(0);
    expect(updated).toContain(1);
    expect(updated).not.toContain(3);
    made.streams[1]?.resume();
    const [update] = framesOf(made.connection.takeOutput());
    expect([update?.type, update?.streamId, ...(update?.payload ?? [])]).toEqual([
      FrameType.WINDOW_UPDATE,
      3,
      ...word(STREAM_WINDOW_BYTES),
    ]);
  });

  test('the client gets back exactly what it has used, however much it sends', () => {
    const made = ready();
    made.send(open(1));
    const chunk = new Uint8Array(16_384);
    let sent = 0;
    const given = { connection: 0, stream: 0 };
    while (sent < 5 * STREAM_WINDOW_BYTES) {
      sent += chunk.length;
      for (const { type, streamId, payload } of made.send(frame(FrameType.DATA, 0, 1, chunk))) {
        if (type !== FrameType.WINDOW_UPDATE) continue;
        given[streamId === 0 ? 'connection' : 'stream'] += Buffer.from(payload).readUInt32BE();
      }
      expect(given.stream).toBeLessThanOrEqual(sent);
    }
    expect(sent - given.stream).toBeLessThan(STREAM_WINDOW_BYTES / 2);
    expect(sent - given.connection).toBeLessThan(CONNECTION_WINDOW_BYTES / 2);
    expect(made.finished).toBe(false);
  });

  test('a client with too many bytes waiting for it gets no new streams until it has taken them', () => {
    const made = ready();
    made.send(open(1), frame(FrameType.WINDOW_UPDATE, 0, 0, word(1 << 30)));
    made.streams[0]?.write(new Uint8Array(MAX_WAITING_BYTES + 100_000));
    made.connection.takeOutput();
    const [refusal] = made.send(open(3));
    expect(refusal?.type).toBe(FrameType.RST_STREAM);
    made.send(frame(FrameType.WINDOW_UPDATE, 0, 1, word(200_000)));
    expect(made.send(open(5))).toEqual([]);
    expect(made.streams.map(({ id }) => id)).toEqual([1, 5]);
  });

  test('a client that sends more than its window is hung up on', () => {
    const made = ready();
    made.send(open(1));
    made.streams[0]?.pause();
    const chunk = new Uint8Array(16_384);
    let last: ReadFrame[] = [];
    for (let i = 0; i < STREAM_WINDOW_BYTES / chunk.length + 1; i++)
      last = made.send(frame(FrameType.DATA, 0, 1, chunk));
    expect(goAway(last)).toEqual([ErrorCode.FLOW_CONTROL_ERROR, 'window of stream 1']);
    expect(CONNECTION_WINDOW_BYTES).toBeGreaterThan(STREAM_WINDOW_BYTES);
  });
});

describe('what a client may not do', () => {
  const cases: readonly [string, Uint8Array, number][] = [
    ['a stream with an even number', open(2), ErrorCode.PROTOCOL_ERROR],
    [
      'data on a stream that was never opened',
      frame(FrameType.DATA, 0, 5, [1]),
      ErrorCode.PROTOCOL_ERROR,
    ],
    ['data on no stream', frame(FrameType.DATA, 0, 0, [1]), ErrorCode.PROTOCOL_ERROR],
    [
      'a reset of a stream that was never opened',
      frame(FrameType.RST_STREAM, 0, 5, word(8)),
      ErrorCode.PROTOCOL_ERROR,
    ],
    ['a reset of odd length', frame(FrameType.RST_STREAM, 0, 1, [1]), ErrorCode.FRAME_SIZE_ERROR],
    ['headers twice', concatBytes([open(1), open(1)]), ErrorCode.PROTOCOL_ERROR],
    [
      'more padding than there is',
      concatBytes([open(1), frame(FrameType.DATA, Flag.PADDED, 1, [9, 1])]),
      ErrorCode.PROTOCOL_ERROR,
    ],
    ['settings of odd length', frame(FrameType.SETTINGS, 0, 0, [1]), ErrorCode.FRAME_SIZE_ERROR],
    ['settings on a stream', frame(FrameType.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR],
    [
      'an initial window beyond 2^31 - 1',
      frame(FrameType.SETTINGS, 0, 0, [0, 4, ...word(0x8000_0000)]),
      ErrorCode.FLOW_CONTROL_ERROR,
    ],
    ['a push', frame(FrameType.PUSH_PROMISE, 0, 1, word(2)), ErrorCode.PROTOCOL_ERROR],
    ['a ping of odd length', frame(FrameType.PING, 0, 0, [1]), ErrorCode.FRAME_SIZE_ERROR],
    [
      'a window update of 0',
      frame(FrameType.WINDOW_UPDATE, 0, 0, word(0)),
      ErrorCode.PROTOCOL_ERROR,
    ],
    [
      'a window beyond 2^31 - 1',
      frame(FrameType.WINDOW_UPDATE, 0, 0, word(0x7fff_ffff)),
      ErrorCode.FLOW_CONTROL_ERROR,
    ],
    ['a continuation of nothing', frame(FrameType.CONTINUATION, 0, 1), ErrorCode.PROTOCOL_ERROR],
    [
      'a frame inside a header block',
      concatBytes([
        frame(FrameType.HEADERS, 0, 1, requestBlock()),
        frame(FrameType.PING, 0, 0, new Uint8Array(8)),
      ]),
      ErrorCode.PROTOCOL_ERROR,
    ],
    [
      'a frame larger than 16 kB',
      frame(FrameType.DATA, 0, 1, new Uint8Array(16_385)),
      ErrorCode.FRAME_SIZE_ERROR,
    ],
    [
      'data after the end',
      concatBytes([
        open(1),
        frame(FrameType.DATA, Flag.END_STREAM, 1),
        frame(FrameType.DATA, 0, 1, [1]),
      ]),
      ErrorCode.STREAM_CLOSED,
    ],
  ];
  for (const [what, bytes, code] of cases) {
    test(`${what}: GOAWAY, and all its streams are closed`, () => {
      const made = ready();
      expect(goAway(made.send(bytes))[0]).toBe(code);
      expect([made.finished, made.connection.streamCount]).toEqual([true, 0]);
    });
  }

  function flood(made: World, count: number, bytes: (i: number) => Uint8Array): [number, string] {
    for (let i = 0; i < count; i++) {
      const frames = made.send(bytes(i));
      if (made.finished) return goAway(frames);
    }
    return [-1, 'still there'];
  }

  const calm = ErrorCode.ENHANCE_YOUR_CALM;

  test('open and reset streams without end', () => {
    const made = ready();
    const rapidReset = (i: number): Uint8Array =>
      concatBytes([open(2 * i + 1), frame(FrameType.RST_STREAM, 0, 2 * i + 1, word(8))]);
    expect(flood(made, RESET_BURST + 10, rapidReset)).toEqual([calm, 'too many resets']);
  });

  test.each([
    ['before them', 0],
    ['as they have', Flag.END_STREAM],
  ])('reset what we have ended %s: no flood, but once for each', (_, end) => {
    const made = ready();
    const answered = (i: number): Uint8Array => {
      const id = 2 * i + 1;
      made.send(open(id));
      if (end !== 0) made.send(frame(FrameType.DATA, end, id));
      made.streams.at(-1)?.end(TRAILERS);
      made.connection.takeOutput();
      return frame(FrameType.RST_STREAM, 0, id, word(ErrorCode.NO_ERROR));
    };
    expect(flood(made, RESET_BURST * 3, answered)).toEqual([-1, 'still there']);
    const again = (): Uint8Array => frame(FrameType.RST_STREAM, 0, 1, word(ErrorCode.NO_ERROR));
    expect(flood(made, RESET_BURST + 1, again)).toEqual([calm, 'too many resets']);
  });

  test('cancel now and then is no flood', () => {
    const made = ready();
    const slowReset = (i: number): Uint8Array => {
      made.clock.nowMs += 20;
      return concatBytes([open(2 * i + 1), frame(FrameType.RST_STREAM, 0, 2 * i + 1, word(8))]);
    };
    expect(flood(made, RESET_BURST * 3, slowReset)).toEqual([-1, 'still there']);
  });

  test('ping without end', () => {
    expect(flood(ready(), 10, () => frame(FrameType.PING, 0, 0, new Uint8Array(8)))).toEqual([
      calm,
      'too_many_pings',
    ]);
  });

  for (const [what, bytes] of [
    ['settings', frame(FrameType.SETTINGS, 0, 0)],
    ['priorities', frame(FrameType.PRIORITY, 0, 1, new Uint8Array(5))],
    ['frames of unknown type', frame(99, 0, 0)],
    ['empty data', frame(FrameType.DATA, 0, 1)],
  ] as const) {
    test(`send ${what} without end`, () => {
      const made = ready();
      made.send(open(1));
      expect(flood(made, IDLE_FRAME_BURST + 10, () => bytes)).toEqual([
        calm,
        'too many frames without effect',
      ]);
    });
  }

  test('continue a header block without end', () => {
    const made = ready();
    made.send(frame(FrameType.HEADERS, 0, 1, [0x82]));
    expect(
      flood(made, MAX_CONTINUATIONS + 5, () => frame(FrameType.CONTINUATION, 0, 1, [0x82])),
    ).toEqual([calm, 'too many CONTINUATION frames']);
  });

  test('send a header block that is too large', () => {
    const made = ready();
    made.send(frame(FrameType.HEADERS, 0, 1, [0x82]));
    const [code, text] = flood(made, 10, () =>
      frame(FrameType.CONTINUATION, 0, 1, new Uint8Array(16_000)),
    );
    expect([code, text]).toEqual([calm, 'header block larger than 65536 bytes']);
  });
});

describe('the end', () => {
  test('drained: no new streams, and it is over when the last one has ended', () => {
    const made = ready();
    made.send(open(1));
    made.connection.drain();
    expect(goAway(framesOf(made.connection.takeOutput()))).toEqual([ErrorCode.NO_ERROR, '']);
    const [refusal] = made.send(open(3));
    expect([...(refusal?.payload ?? [])]).toEqual(word(ErrorCode.REFUSED_STREAM));
    expect(made.finished).toBe(false);
    made.streams[0]?.end(TRAILERS);
    expect(made.finished).toBe(true);
  });

  test('finished: every stream is closed once, and nothing more is said', () => {
    const made = ready();
    made.send(open(1), open(3));
    made.connection.finish();
    made.connection.finish();
    expect(made.log).toEqual(['close 1', 'close 3']);
    expect(made.send(open(5))).toEqual([]);
  });
});

test('whatever comes, the server answers frames or GOAWAY, and never throws', () => {
  const block = requestBlock();
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 1, 3, 5, 2, 0x7fff_ffff),
      fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(block)),
    )
    .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, payload));
  const step = fc.oneof(
    anyFrame,
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(open(1), open(3), open(5)),
  );
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.nat(40_000), { maxLength: 5 }),
      (steps, sizes) => {
        const made = ready();
        for (const bytes of steps) {
          made.connection.receive(bytes);
          for (const [i, stream] of made.streams.entries())
            stream.write(new Uint8Array(sizes[i] ?? 1));
        }
        made.connection.setCongested(true);
        made.connection.setCongested(false);
        for (const stream of made.streams) stream.end(TRAILERS);
        expect(() => framesOf(made.connection.takeOutput())).not.toThrow();
        made.connection.finish();
        const opened = made.streams.map(({ id }) => `close ${id}`).sort();
        expect(made.log.filter((line) => line.startsWith('close')).sort()).toEqual(opened);
      },
    ),
    { numRuns: 1_000 },
  );
});
