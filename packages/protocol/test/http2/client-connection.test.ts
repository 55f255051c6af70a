import { concatBytes } from '@etcd-ts/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Http2ClientConnection } from '../../src/http2/client-connection.ts';
import { Http2Connection } from '../../src/http2/connection.ts';
import { ErrorCode, Flag, FrameType } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';
import { HeaderSet } from '../../src/http2/hpack-encoder.ts';
import { PingPolicy } from '../../src/http2/ping-policy.ts';
import type { Http2Stream, StreamUser } from '../../src/http2/stream.ts';
import { frame, framesOf, type ReadFrame, word } from './frames.ts';

const HEADERS = new HeaderSet([
  [':scheme', 'http'],
  [':method', 'POST'],
  [':path', '/a/b'],
]);
const NOTHING = new Uint8Array(0);
const OK = headerBlock([['grpc-status', '0']]);

interface Client {
  readonly connection: Http2ClientConnection;
  /** What it was told, in order. */
  readonly log: string[];
  finished: boolean;
  /** Bytes from the server; gives the frames that it answers. */
  receive(...parts: readonly Uint8Array[]): ReadFrame[];
  open(): Http2Stream;
}

function client(): Client {
  const log: string[] = [];
  const connection = new Http2ClientConnection(
    {
      onReady: () => void log.push('ready'),
      onRoom: () => void log.push('room'),
      onDraining: (reason) => void log.push(`draining ${reason}`),
      onPingAck: () => void log.push('pong'),
      onOutput: () => undefined,
      onFinished: () => {
        made.finished = true;
      },
    },
    () => 0,
  );
  const made: Client = {
    connection,
    log,
    finished: false,
    receive: (...parts) => {
      connection.receive(concatBytes(parts));
      return framesOf(connection.takeOutput());
    },
    open: () => {
      const user: StreamUser = {
        onHeaders: (headers) => void log.push(`headers ${stream.id} ${headers.join()}`),
        onData: (bytes) => void log.push(`data ${stream.id} ${bytes.length}`),
        onEnd: () => void log.push(`end ${stream.id}`),
        onDrain: () => void log.push(`drain ${stream.id}`),
        onClose: (code) => void log.push(`close ${stream.id} ${code ?? 'done'}`),
      };
      const stream = connection.open(HEADERS, NOTHING, user);
      return stream;
    },
  };
  return made;
}

const SETTINGS = frame(FrameType.SETTINGS, 0, 0);

/** A client whose server has said hello. */
function ready(): Client {
  const made = client();
  connectionStart(made);
  return made;
}

function connectionStart(made: Client): void {
  made.connection.takeOutput();
  made.receive(SETTINGS);
  made.log.length = 0;
}

const headersFrame = (streamId: number, block: Uint8Array, ends = false): Uint8Array =>
  frame(FrameType.HEADERS, Flag.END_HEADERS | (ends ? Flag.END_STREAM : 0), streamId, block);

describe('a client', () => {
  test('says hello, and has no room before the server has', () => {
    const made = client();
    const [first] = made.connection.takeOutput();
    expect(Buffer.from(first ?? NOTHING).toString()).toMatch(/^PRI \* HTTP\/2\.0/);
    expect(made.connection.hasRoom).toBe(false);
    made.receive(SETTINGS);
    expect(made.log).toEqual(['ready', 'room']);
    expect(made.connection.hasRoom).toBe(true);
  });

  test('sends a request and takes its answer to the trailers', () => {
    const made = ready();
    const stream = made.open();
    stream.writeLast(new Uint8Array(7));
    const sent = framesOf(made.connection.takeOutput());
    expect(sent.map(({ type, flags }) => [type, flags])).toEqual([
      [FrameType.HEADERS, Flag.END_HEADERS],
      [FrameType.DATA, Flag.END_STREAM],
    ]);
    made.receive(
      headersFrame(1, headerBlock([[':status', '200']])),
      frame(FrameType.DATA, 0, 1, [1, 2, 3]),
      headersFrame(1, OK, true),
    );
    expect(made.log).toEqual([
      'headers 1 :status,200',
      'data 1 3',
      'headers 1 grpc-status,0',
      'end 1',
      'close 1 done',
      'room',
    ]);
    expect(made.connection.streamCount).toBe(0);
  });

  test('ends a stream that the server has ended before it', () => {
    const made = ready();
    made.open();
    made.connection.takeOutput();
    const [reset] = made.receive(headersFrame(1, OK, true));
    expect([reset?.type, ...(reset?.payload ?? [])]).toEqual([
      FrameType.RST_STREAM,
      ...word(ErrorCode.NO_ERROR),
    ]);
  });

  test('says nothing more of a stream that both sides have ended, whoever gives it up then', () => {
    const made = ready();
    const stream = made.open();
    stream.writeLast(new Uint8Array(7));
    made.connection.takeOutput();
    stream.user = { ...stream.user!, onEnd: () => made.connection.cancel(stream) };
    expect(made.receive(headersFrame(1, OK, true))).toEqual([]);
    expect(made.connection.streamCount).toBe(0);
  });

  test('opens no more streams than the server takes', () => {
    const made = ready();
    made.receive(frame(FrameType.SETTINGS, 0, 0, [0, 3, ...word(1)]));
    made.open();
    expect(made.connection.hasRoom).toBe(false);
    made.log.length = 0;
    made.receive(headersFrame(1, OK, true));
    expect(made.log.at(-1)).toBe('room');
    expect(made.connection.hasRoom).toBe(true);
  });

  test('opens as many streams as it is asked for on a server that names no limit', () => {
    const made = ready();
    for (let i = 0; i < 1_000; i++) {
      expect(made.connection.hasRoom).toBe(true);
      made.open();
    }
    expect(made.connection.streamCount).toBe(1_000);
  });

  test('is told which streams a leaving server has not looked at', () => {
    const made = ready();
    made.open();
    made.open();
    made.receive(frame(FrameType.GOAWAY, 0, 0, [...word(1), ...word(0), ...Buffer.from('bye')]));
    expect(made.log).toEqual(['draining bye', `close 3 ${ErrorCode.REFUSED_STREAM}`]);
    expect([made.connection.isUsable, made.finished]).toEqual([false, false]);
    made.receive(headersFrame(1, OK, true));
    expect(made.finished).toBe(true);
  });

  test('hears of a reset with its code', () => {
    const made = ready();
    made.open();
    made.receive(frame(FrameType.RST_STREAM, 0, 1, word(ErrorCode.ENHANCE_YOUR_CALM)));
    expect(made.log[0]).toBe(`close 1 ${ErrorCode.ENHANCE_YOUR_CALM}`);
  });

  test('gives a stream up once, and late frames for it are passed over', () => {
    const made = ready();
    const stream = made.open();
    made.connection.takeOutput();
    made.connection.cancel(stream);
    made.connection.cancel(stream);
    expect(framesOf(made.connection.takeOutput()).map(({ type }) => type)).toEqual([
      FrameType.RST_STREAM,
    ]);
    made.log.length = 0;
    made.receive(frame(FrameType.DATA, 0, 1, [1]), headersFrame(1, OK, true));
    expect([made.log, made.finished]).toEqual([[], false]);
  });

  test('asks for a sign of life and hears it', () => {
    const made = ready();
    made.connection.ping();
    const [ping] = framesOf(made.connection.takeOutput());
    made.receive(frame(FrameType.PING, Flag.ACK, 0, ping?.payload ?? []));
    expect(made.log).toEqual(['pong']);
  });

  test('hangs up on a server that pushes or answers what was not asked', () => {
    for (const bytes of [
      frame(FrameType.PUSH_PROMISE, 0, 1, word(2)),
      headersFrame(9, OK),
      headersFrame(2, OK),
    ]) {
      const made = ready();
      made.open();
      made.receive(bytes);
      expect(made.finished).toBe(true);
      expect(made.log.at(-1)).toBe('close 1 done');
    }
  });
});

test('headers that are too long for one frame are continued in others, both ways', () => {
  const answered: string[] = [];
  const long = 'y'.repeat(3 * 16_384);
  const server = new Http2Connection(
    {
      onStream: (stream) => {
        answered.push(stream.headers.at(-1) ?? '');
        stream.end(headerBlock([['grpc-message', long]]));
      },
      onOutput: () => undefined,
      onFinished: () => void answered.push('the server hung up'),
    },
    { maxStreams: 100, pings: new PingPolicy(5_000), monotonicMs: () => 0 },
  );
  const made = client();
  const exchange = (): void => {
    for (const part of made.connection.takeOutput()) server.receive(part);
    for (const part of server.takeOutput()) made.connection.receive(part);
  };
  exchange();
  made.log.length = 0;
  const set = new HeaderSet([...HEADERS.headers, ['token', long]]);
  made.connection
    .open(set, NOTHING, {
      onHeaders: (headers) => void answered.push(headers.at(-1) ?? ''),
      onData: () => undefined,
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    })
    .writeLast(NOTHING);
  exchange();
  expect(answered.map((text) => text.length)).toEqual([long.length, long.length]);
  expect(made.finished).toBe(false);
});

test('client and server understand each other, whatever is sent and however the network cuts it', () => {
  const call = fc.record({
    request: fc.array(fc.nat(120_000), { maxLength: 4 }),
    response: fc.array(fc.nat(120_000), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      (calls, cuts) => {
        const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);
        const served = new Map<number, { got: number; ended: boolean }>();
        const server = new Http2Connection(
          {
            onStream: (stream) => {
              const state = { got: 0, ended: false };
              served.set(stream.id, state);
              const plan = calls[(stream.id - 1) / 2];
              stream.user = {
                onData: (bytes) => {
                  state.got += bytes.length;
                },
                onEnd: () => {
                  state.ended = true;
                  stream.respond(headerBlock([[':status', '200']]));
                  for (const size of plan?.response ?? []) stream.write(new Uint8Array(size));
                  stream.end(OK);
                },
                onDrain: () => undefined,
                onClose: () => undefined,
              };
            },
            onOutput: () => undefined,
            onFinished: () => undefined,
          },
          { maxStreams: 100, pings: new PingPolicy(5_000), monotonicMs: () => 0 },
        );
        const results = calls.map(() => ({ got: 0, trailers: '', closed: '' }));
        const connection = new Http2ClientConnection(
          {
            onReady: () => {
              calls.forEach(({ request }, i) => {
                const result = results[i] ?? { got: 0, trailers: '', closed: '' };
                const stream = connection.open(HEADERS, NOTHING, {
                  onHeaders: (headers) => {
                    result.trailers = headers.join();
                  },
                  onData: (bytes) => {
                    result.got += bytes.length;
                  },
                  onEnd: () => undefined,
                  onDrain: () => undefined,
                  onClose: (code) => {
                    result.closed = String(code);
                  },
                });
                for (const size of request) stream.write(new Uint8Array(size));
                stream.writeLast(NOTHING);
              });
            },
            onRoom: () => undefined,
            onDraining: () => undefined,
            onPingAck: () => undefined,
            onOutput: () => undefined,
            onFinished: () => undefined,
          },
          () => 0,
        );
        let cut = 0;
        const carry = (
          from: Http2ClientConnection | Http2Connection,
          to: Http2ClientConnection | Http2Connection,
        ): boolean => {
          const bytes = concatBytes(from.takeOutput());
          from.setCongested(false);
          for (let at = 0; at < bytes.length;) {
            const size = cuts[cut++ % cuts.length] ?? 1;
            to.receive(bytes.slice(at, at + size));
            at += size;
          }
          return bytes.length > 0;
        };
        for (let isMoving = true; isMoving;) {
          const there = carry(connection, server);
          const back = carry(server, connection);
          isMoving = there || back;
        }
        calls.forEach(({ request, response }, i) => {
          expect(served.get(2 * i + 1)).toEqual({ got: sum(request), ended: true });
          expect(results[i]).toEqual({
            got: sum(response),
            trailers: 'grpc-status,0',
            closed: 'undefined',
          });
        });
        expect([connection.streamCount, server.streamCount]).toEqual([0, 0]);
      },
    ),
    { numRuns: 60 },
  );
});
