/**
 * Clients that mean no good, or that are broken, against a whole listener over real sockets: what they cost is bounded,
 * they are told why, and the others do not notice.
 */
import { connect, type Socket } from 'node:net';
import { concatBytes } from '@etcd-ts/base';
import { GrpcChannel } from '@etcd-ts/client/node';
import { type Handlers, PutResponse, RangeRequest, RangeResponse } from '@etcd-ts/protocol';
import { Flag, FrameType, headerBlock, Setting } from '@etcd-ts/protocol/http2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClientListener } from '../../src/env.ts';
import { AnswerBudget } from '../../src/listeners/answer-budget.ts';
import { listenForClients } from '../../src/listeners/node/client-listener.ts';
import { frame, HELLO, open, requestBlock, word } from '../../../protocol/test/http2/frames.ts';
import { realClock } from './real-clock.ts';

const LARGE_BYTES = 1_000_000;
const LIMIT_BYTES = 5_000_000;
const large = new Uint8Array(LARGE_BYTES);

let listener: ClientListener;
let budget: AnswerBudget;
let other: GrpcChannel;
let handled = 0;
const sockets: Socket[] = [];

const handlers: Handlers = {
  'etcdserverpb.KV/Range': ({ limit }) => {
    handled += 1;
    const value = limit > 0 ? large : new Uint8Array();
    return Promise.resolve(
      RangeResponse.fromPartial({ kvs: [{ key: large.subarray(0, 1), value }] }),
    );
  },
  'etcdserverpb.KV/Put': () => Promise.resolve(PutResponse.fromPartial({})),
  'etcdserverpb.Watch/Watch': (_requests, { signal }) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve());
    }),
};

beforeEach(async () => {
  handled = 0;
  budget = new AnswerBudget(LIMIT_BYTES);
  listener = await listenForClients({
    urls: ['http://127.0.0.1:0'],
    handlers,
    clock: realClock,
    maxRequestBytes: 100_000,
    routes: new Map(),
    answers: budget,
  });
  other = new GrpcChannel(listener.urls[0] ?? '');
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await other.close();
  await listener.close(0);
});

function dial(): Socket {
  const socket = connect(Number(new URL(listener.urls[0] ?? '').port), '127.0.0.1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

/** All that a server says until it hangs up. */
function lastWords(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text = `${text}${chunk.toString('latin1')}`.slice(-10_000);
    });
    socket.on('close', () => resolve(text));
  });
}

/** That somebody else is served as if nothing were. */
async function expectOthersUnharmed(): Promise<void> {
  const { kvs } = await other.unary(
    'etcdserverpb.KV/Range',
    RangeRequest.fromPartial({ key: new Uint8Array([1]), limit: 1 }),
  );
  expect(kvs[0]?.value.length).toBe(LARGE_BYTES);
}

function rangeOf(streamId: number, limit: number, endsStream = true): Uint8Array {
  const request = RangeRequest.encodeFrame(RangeRequest.fromPartial({ limit }));
  const flags = endsStream ? Flag.END_STREAM : 0;
  return concatBytes([
    open(streamId, requestBlock()),
    frame(FrameType.DATA, flags, streamId, request),
  ]);
}

/** A greeting that opens all windows as wide as they go. */
const WIDE = concatBytes([
  HELLO,
  frame(FrameType.SETTINGS, 0, 0, [0, Setting.INITIAL_WINDOW_SIZE, ...word(0x7fff_ffff)]),
  frame(FrameType.WINDOW_UPDATE, 0, 0, word(0x7fff_0000)),
]);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

describe('clients that do not read', () => {
  test.each([
    ['with wide windows', WIDE],
    ['with windows that are never widened', HELLO],
  ])('%s: answers wait up to the limit of the node, the others are refused', async (_, hello) => {
    const socket = dial();
    socket.pause();
    const calls = 20;
    socket.write(
      concatBytes([hello, ...Array.from({ length: calls }, (__, i) => rangeOf(2 * i + 1, 1))]),
    );
    await until(() => handled === calls);
    expect(budget.waitingBytes).toBeLessThanOrEqual(LIMIT_BYTES + LARGE_BYTES);
    expect(budget.waitingBytes).toBeGreaterThan(LIMIT_BYTES / 2);
    await expectOthersUnharmed();
    // What was refused is told when it reads at last; somebody else's need may have cost it the connection.
    socket.destroy();
    await until(() => budget.waitingBytes < LARGE_BYTES);
  });

  test('many of them together are bounded as well, and the largest goes first', async () => {
    const many = Array.from({ length: 10 }, () => dial());
    const closed = Promise.race(many.map((socket) => lastWords(socket)));
    for (const socket of many) {
      socket.pause();
      socket.write(concatBytes([HELLO, ...[1, 3, 5].map((id) => rangeOf(id, 1))]));
    }
    await until(() => handled === 30);
    expect(budget.waitingBytes).toBeLessThanOrEqual(LIMIT_BYTES + LARGE_BYTES);
    await expectOthersUnharmed();
    for (const socket of many) socket.resume();
    await closed;
  });

  test('over HTTP count among them', async () => {
    const body = '{"key":"AQ==","limit":1}';
    const post = `POST /v3/kv/range HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const many = Array.from({ length: 12 }, () => dial());
    for (const socket of many) {
      socket.pause();
      socket.write(post);
    }
    await until(() => handled === 12);
    expect(budget.waitingBytes).toBeLessThanOrEqual(LIMIT_BYTES + 2 * LARGE_BYTES);
    await expectOthersUnharmed();
  });
});

describe('clients that break the rules', () => {
  const cases: readonly [string, () => Uint8Array | Uint8Array[], string][] = [
    [
      'a flood of resets',
      () => [
        HELLO,
        ...Array.from({ length: 3_000 }, (_, i) =>
          concatBytes([
            open(2 * i + 1, requestBlock('/etcdserverpb.Watch/Watch')),
            frame(FrameType.RST_STREAM, 0, 2 * i + 1, word(8)),
          ]),
        ),
      ],
      'too many resets',
    ],
    [
      'a flood of settings',
      () => [HELLO, ...Array.from({ length: 20_000 }, () => frame(FrameType.SETTINGS, 0, 0))],
      'too many frames without effect',
    ],
    [
      'a flood of pings',
      () => [
        HELLO,
        ...Array.from({ length: 100 }, () => frame(FrameType.PING, 0, 0, new Uint8Array(8))),
      ],
      'too_many_pings',
    ],
    [
      'a flood of empty data',
      () => [HELLO, open(1), ...Array.from({ length: 20_000 }, () => frame(FrameType.DATA, 0, 1))],
      'too many frames without effect',
    ],
    [
      'a flood of priorities and unknown frames',
      () => [
        HELLO,
        ...Array.from({ length: 10_000 }, () => [
          frame(FrameType.PRIORITY, 0, 1, new Uint8Array(5)),
          frame(0xee, 0, 0, [1, 2]),
        ]).flat(),
      ],
      'too many frames without effect',
    ],
    [
      'a flood of window updates',
      () => [
        HELLO,
        ...Array.from({ length: 20_000 }, () => frame(FrameType.WINDOW_UPDATE, 0, 0, word(1))),
      ],
      'too many frames without effect',
    ],
    [
      'giant headers',
      () => [
        HELLO,
        ...Array.from({ length: 10 }, (_, i) =>
          open(2 * i + 1, headerBlock([['x', 'y'.repeat(15_000)]])),
        ),
        frame(FrameType.HEADERS, 0, 101, headerBlock([['x', 'y'.repeat(15_000)]])),
        ...Array.from({ length: 10 }, () =>
          frame(FrameType.CONTINUATION, 0, 101, new Uint8Array(16_000)),
        ),
      ],
      'header block larger than',
    ],
    [
      'endless continuations',
      () => [
        HELLO,
        frame(FrameType.HEADERS, 0, 1, [0x83]),
        ...Array.from({ length: 100 }, () => frame(FrameType.CONTINUATION, 0, 1)),
      ],
      'too many CONTINUATION frames',
    ],
    [
      'a frame that is too large',
      () => [HELLO, frame(FrameType.DATA, 0, 1, new Uint8Array(16_385))],
      'limit 16384',
    ],
    ['another protocol', () => new TextEncoder().encode('PRI * HTTP/3.0\r\n\r\n'), 'not HTTP/2'],
  ];

  test.each(cases)('%s: told why and hung up on', async (_, bytes, words) => {
    const socket = dial();
    const heard = lastWords(socket);
    const sent = bytes();
    socket.write(Array.isArray(sent) ? concatBytes(sent) : sent);
    expect(await heard).toContain(words);
    await expectOthersUnharmed();
  });

  test('headers of HTTP/1.1 that are too large are 431', async () => {
    const socket = dial();
    const heard = lastWords(socket);
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`);
    expect(await heard).toContain('431 Request Header Fields Too Large');
    await expectOthersUnharmed();
  });

  test('a client that is gone without a word holds nothing', async () => {
    const gone = Array.from({ length: 50 }, () => {
      const socket = dial();
      socket.write(concatBytes([HELLO, open(1, requestBlock('/etcdserverpb.Watch/Watch'))]));
      return socket;
    });
    await expectOthersUnharmed();
    for (const socket of gone) socket.destroy();
    // Closing waits for those that are open: nobody is.
    await listener.close(60_000);
  });

  test('one that neither reads nor leaves does not hold up a stop', async () => {
    const socket = dial();
    socket.pause();
    socket.write(concatBytes([WIDE, ...[1, 3, 5].map((id) => rangeOf(id, 1))]));
    await until(() => handled === 3);
    await listener.close(10);
  });
});
