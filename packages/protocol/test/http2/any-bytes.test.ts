import { concatBytes } from '@etcd-ts/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Http2Connection } from '../../src/http2/connection.ts';
import { FrameType } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';
import type { Http2Stream } from '../../src/http2/stream.ts';
import { PingPolicy } from '../../src/http2/ping-policy.ts';
import { frame, HELLO, requestBlock } from './frames.ts';

const OK = headerBlock([[':status', '200']]);
const END = headerBlock([['grpc-status', '0']]);

/** Frames that make sense, half make sense or make none. */
const anyFrame = fc.oneof(
  fc
    .tuple(
      fc.nat(10),
      fc.nat(255),
      fc.constantFrom(0, 1, 2, 3, 5, 7),
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constant(requestBlock()),
        fc.constantFrom(...[0, 1, 4, 5, 8].map((length) => new Uint8Array(length))),
      ),
    )
    .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, payload)),
  fc
    .constantFrom(1, 3, 5, 7)
    .map((streamId) => frame(FrameType.HEADERS, 4, streamId, requestBlock())),
  fc.uint8Array({ maxLength: 20 }),
);

/** A server that answers three bytes for each that comes. */
function serve(streams: Http2Stream[]): Http2Connection {
  return new Http2Connection(
    {
      onStream: (stream) => {
        streams.push(stream);
        stream.user = {
          onData: (bytes) => {
            stream.respond(OK);
            stream.write(new Uint8Array(bytes.length * 3));
          },
          onEnd: () => stream.end(END),
          onDrain: () => undefined,
          onClose: () => undefined,
        };
      },
      onOutput: () => undefined,
      onFinished: () => undefined,
    },
    { maxStreams: 3, pings: new PingPolicy(5_000), monotonicMs: () => 0 },
  );
}

test('whatever bytes come, however they are cut: nothing is thrown, and nothing is lost count of', () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 30 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean()), { minLength: 1 }),
      (frames, cuts) => {
        const streams: Http2Stream[] = [];
        const connection = serve(streams);
        connection.receive(HELLO);
        const bytes = concatBytes(frames);
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const [length, isCongested] = cuts[i % cuts.length] ?? [1, false];
          connection.receive(bytes.subarray(at, at + length));
          at += length;
          connection.takeOutput();
          connection.setCongested(isCongested);
          expect(connection.waitingBytes).toBeGreaterThanOrEqual(0);
          expect(connection.streamCount).toBe(streams.filter((each) => !each.isClosed).length);
          expect(connection.streamCount).toBeLessThanOrEqual(3);
        }
        connection.finish();
        expect([connection.waitingBytes, connection.streamCount]).toEqual([0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});
