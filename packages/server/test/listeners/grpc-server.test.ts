import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { concatBytes } from '@etcd-ts/base';
import { type Handlers, RangeRequest, RangeResponse } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { ErrorCode, Flag, FrameType } from '@etcd-ts/protocol/http2';
import { GrpcServer } from '../../src/listeners/node/grpc.ts';
import {
  frame,
  framesOf,
  HELLO,
  open,
  requestBlock,
  word,
} from '../../../protocol/test/http2/frames.ts';
import { realClock } from './real-clock.ts';

const MAX_BACKLOG_BYTES = 100_000;
const MAX_PARTIAL_BYTES = 1_000_000;

/** A socket whose other end is the test: it takes what it is told to take. */
class TestSocket extends Duplex {
  readonly written: Uint8Array[] = [];
  isStuck = false;

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    if (!this.isStuck) done();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

function serve(
  handlers: Handlers,
  { maxStreams = 1_000 }: { maxStreams?: number } = {},
): { server: GrpcServer; socket: TestSocket } {
  const server = new GrpcServer({
    handlers,
    clock: realClock,
    maxReceiveBytes: 2_097_152,
    maxStreamsPerConnection: maxStreams,
    keepalive: { minPingIntervalMs: 5_000, intervalMs: 0, timeoutMs: 20_000 },
    maxBacklogBytes: MAX_BACKLOG_BYTES,
    maxPartialBytes: MAX_PARTIAL_BYTES,
  });
  const socket = new TestSocket();
  server.accept(socket as unknown as Socket);
  socket.push(HELLO);
  return { server, socket };
}

const answer: Handlers = {
  'etcdserverpb.KV/Range': () => Promise.resolve(RangeResponse.fromPartial({ count: 1 })),
};
const call = (streamId: number, path?: string): Uint8Array =>
  concatBytes([
    open(streamId, requestBlock(path)),
    frame(
      FrameType.DATA,
      Flag.END_STREAM,
      streamId,
      RangeRequest.encodeFrame(RangeRequest.fromPartial({})),
    ),
  ]);

/** Text of all headers that came, good enough to look for what is spelt out. */
const said = (socket: TestSocket): string => Buffer.concat(socket.written).toString('latin1');

describe('a connection', () => {
  test('answers all calls of one turn in one write', async () => {
    const { socket } = serve(answer);
    await turns(5);
    socket.written.length = 0;
    socket.push(concatBytes([call(1), call(3), call(5)]));
    await turns(5);
    expect(socket.written.length).toBe(1);
    const types = framesOf(socket.written).map(({ type }) => type);
    expect(types.filter((type) => type === FrameType.DATA).length).toBe(3);
  });

  test('whose other end does not read is not read from either, beyond a limit', async () => {
    const { socket } = serve(answer, { maxStreams: 0 });
    await turns(5);
    socket.isStuck = true;
    // Each stream is refused with 13 bytes.
    const perChunk = 1_000;
    const chunks = Math.ceil(MAX_BACKLOG_BYTES / 13 / perChunk) + 2;
    for (let i = 0; i < chunks; i++) {
      const opens: Uint8Array[] = [];
      for (let n = 0; n < perChunk; n++)
        opens.push(open(2 * (i * perChunk + n) + 1, new Uint8Array([0x83])));
      socket.push(concatBytes(opens));
      await turns(3);
    }
    expect(socket.isPaused()).toBe(true);
    expect(socket.writableLength).toBeLessThan(MAX_BACKLOG_BYTES + 13 * 2 * perChunk);
  });

  test('that breaks the rules is told why and hung up on, and its handlers are told too', async () => {
    let aborted = '';
    const { server, socket } = serve({
      'etcdserverpb.KV/Range': (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted = String((signal.reason as Error).message);
            reject(signal.reason as Error);
          });
        }),
    });
    const ended = new Promise((resolve) => socket.once('finish', resolve));
    socket.push(call(1));
    await turns(5);
    socket.push(frame(FrameType.DATA, 0, 0, [1]));
    await ended;
    const last = framesOf(socket.written).at(-1);
    expect([last?.type, last?.payload[7]]).toEqual([FrameType.GOAWAY, ErrorCode.PROTOCOL_ERROR]);
    expect(aborted).toBe('context canceled');
    socket.destroy();
    await turns(5);
    expect(server.connectionCount).toBe(0);
  });
});

describe('a compressed request', () => {
  const request = RangeRequest.encode(RangeRequest.fromPartial({ limit: 77 }));

  /** What the server says of a request by gzip, and the limits that its handler has seen. */
  async function ask(message: Uint8Array): Promise<{ text: string; limits: number[] }> {
    const limits: number[] = [];
    const { socket } = serve({
      'etcdserverpb.KV/Range': ({ limit }) => {
        limits.push(limit);
        return Promise.resolve(RangeResponse.fromPartial({ count: 1 }));
      },
    });
    socket.push(open(1, requestBlock(undefined, [['grpc-encoding', 'gzip']])));
    const head = [1, 0, ...word(message.length).slice(1)];
    socket.push(frame(FrameType.DATA, Flag.END_STREAM, 1, [...head, ...message]));
    await turns(5);
    return { text: said(socket), limits };
  }

  test('by gzip is understood, as by etcd', async () => {
    expect((await ask(gzipSync(request))).limits).toEqual([77]);
  });

  test('that is larger than a request may be, once it is unpacked, is refused', async () => {
    const { text, limits } = await ask(gzipSync(new Uint8Array(2_097_153)));
    expect(text).toContain('grpc: received message after decompression larger than max 2097152');
    expect(limits).toEqual([]);
  });

  test('that is no gzip, or not all of it, is refused', async () => {
    for (const broken of [request, gzipSync(request).subarray(0, -4)]) {
      const { text, limits } = await ask(broken);
      expect(text).toContain('grpc: failed to decompress the message: ');
      expect(limits).toEqual([]);
    }
  });
});

describe('what is no call', () => {
  const cases: readonly [string, Uint8Array, string][] = [
    ['another method than POST is 405', new Uint8Array([0x82, 0x84, 0x86]), '405'],
    ['another content type is 415', new Uint8Array([0x83, 0x84, 0x86]), '415'],
    ['an unknown service says so', requestBlock('/no.Such/Method'), 'unknown service no.Such'],
    [
      'an unknown method says so',
      requestBlock('/etcdserverpb.KV/Nothing'),
      'unknown method Nothing for service etcdserverpb.KV',
    ],
    [
      'a property of every object is no method',
      requestBlock('/toString/valueOf'),
      'unknown service toString',
    ],
    [
      'a path that names no method is refused',
      requestBlock('/etcdserverpb.KV'),
      'malformed method name: "/etcdserverpb.KV"',
    ],
    ['gRPC for browsers is 415', requestBlock(undefined, [], 'application/grpc-web'), '415'],
    [
      'a time-out that is over is told at once',
      requestBlock(undefined, [['grpc-timeout', '0m']]),
      'context deadline exceeded',
    ],
    [
      'a compression that is not there is refused by its name',
      requestBlock(undefined, [['grpc-encoding', 'snappy']]),
      'grpc: Decompressor is not installed for grpc-encoding "snappy"',
    ],
    [
      'a malformed time-out is refused',
      requestBlock('/etcdserverpb.KV/Range', [['grpc-timeout', 'soon']]),
      'malformed grpc-timeout',
    ],
  ];
  for (const [claim, block, text] of cases) {
    test(claim, async () => {
      const { socket } = serve(answer);
      socket.push(open(1, block));
      await turns(5);
      expect(said(socket)).toContain(text);
    });
  }

  test('a unary call without request, or with a malformed one, is INTERNAL', async () => {
    const { socket } = serve(answer);
    socket.push(concatBytes([open(1), frame(FrameType.DATA, Flag.END_STREAM, 1)]));
    socket.push(
      concatBytes([open(3), frame(FrameType.DATA, Flag.END_STREAM, 3, [0, 0, 0, 0, 1, 0xff])]),
    );
    await turns(5);
    expect(said(socket)).toContain('a unary call has no request');
    expect(said(socket)).toContain('grpc: error unmarshalling request: proto: unexpected EOF');
  });

  test('requests that are never finished cost no more than their limit', async () => {
    const { socket } = serve(answer, { maxStreams: 10_000 });
    await turns(5);
    // 2 MB are announced and a part of it sent, again and again.
    const begun = concatBytes([new Uint8Array([0, 0, 0x20, 0, 0]), new Uint8Array(16_000)]);
    for (let streamId = 1; streamId < 2 * 70; streamId += 2) {
      socket.push(concatBytes([open(streamId), frame(FrameType.DATA, 0, streamId, begun)]));
    }
    await turns(5);
    expect(said(socket)).toContain('unfinished requests of');
  });
});
