/** What is fuzzed: what strangers send, before anybody knows who they are. */
import { assert, concatBytes, equalBytes, utf8 } from '@etcd-ts/base';
import { DecodeError, RPCS } from '@etcd-ts/protocol';
import {
  headerBlock,
  Http2Connection,
  type Http2Stream,
  PingPolicy,
} from '@etcd-ts/protocol/http2';
import fc from 'fast-check';
import { arbitraryMessage } from '../../../protocol/test/arbitrary-message.ts';
import { frame, HELLO, open, requestBlock } from '../../../protocol/test/http2/frames.ts';
import { JsonMappingError, messageFromJson } from '../../src/listeners/gateway/from-json.ts';
import { JsonPieces } from '../../src/listeners/gateway/json-pieces.ts';
import { JsonError } from '../../src/listeners/gateway/json-value.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import { requestPath, redirection } from '../../src/listeners/request-path.ts';

/** One thing to try bytes on. */
export interface Target {
  /** Sources whose coverage counts. */
  readonly sources: RegExp;
  readonly corpus: readonly Uint8Array[];
  /** Throws when the bytes do what none may. */
  readonly run: (bytes: Uint8Array) => void;
}

/** Messages to begin with, of each request. */
const SAMPLES = 4;

type AnyCodec = (typeof RPCS)[number]['request'];

function samples(encode: (codec: AnyCodec, message: never) => Uint8Array): Uint8Array[] {
  return RPCS.flatMap(({ request }, i) =>
    fc
      .sample(arbitraryMessage(request as never, 3), { numRuns: SAMPLES, seed: i })
      .map((message) => concatBytes([new Uint8Array([i]), encode(request, message as never)])),
  );
}

/** The first byte says which request the others are. */
function codecOf(bytes: Uint8Array): AnyCodec {
  return (RPCS[(bytes[0] ?? 0) % RPCS.length] as (typeof RPCS)[number]).request;
}

/** Whatever bytes: a message that comes back the same, or a DecodeError. */
const decoders: Target = {
  sources: /protocol\/src\/(?:gen|wire)\//,
  corpus: samples((codec, message) => codec.encode(message)),
  run: (bytes) => {
    const codec = codecOf(bytes);
    try {
      const again = codec.encode(codec.decode(bytes.subarray(1)) as never);
      assert(equalBytes(codec.encode(codec.decode(again) as never), again), 'another message');
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  },
};

/** Whatever text, in two pieces: a message that comes back the same, or an error with a text. */
const gateway: Target = {
  sources: /listeners\/(?:gateway|request-path)/,
  corpus: [
    ...samples((codec, message) => utf8(messageToJson(codec as never, message))),
    utf8('\0{"a":[1.5e-3,true,null,"\\ud83d\\ude00\\n"]} {} 12'),
  ],
  run: (bytes) => {
    const codec = codecOf(bytes);
    const text = new TextDecoder().decode(bytes.subarray(1));
    // A target comes as latin1.
    const target = requestPath(Buffer.from(bytes.subarray(1, 80)).toString('latin1'));
    if (target !== undefined) redirection(target, (path) => path.length % 2 === 0, 'GET');
    const pieces = new JsonPieces();
    for (const piece of [text.slice(0, bytes.length >> 1), text.slice(bytes.length >> 1)]) {
      pieces.add(piece);
      try {
        const read = pieces.next();
        if (read === undefined) continue;
        const message = messageFromJson(codec as never, read.value, read.text);
        JSON.parse(messageToJson(codec as never, message));
      } catch (error) {
        if (error instanceof JsonMappingError) continue;
        if (error instanceof JsonError) return;
        throw error;
      }
    }
  },
};

const OK = headerBlock([[':status', '200']]);

/** Whatever bytes after the greeting: nothing is thrown, and no stream is lost count of. */
const http2: Target = {
  sources: /protocol\/src\/http2/,
  corpus: [
    concatBytes([open(1), frame(0, 1, 1, utf8('\0\0\0\0\x01a'))]),
    concatBytes([open(1), frame(8, 0, 0, [0, 0, 1, 0]), frame(3, 0, 1, [0, 0, 0, 8]), open(3)]),
    concatBytes([frame(4, 0, 0, [0, 4, 0, 0, 0, 9]), frame(6, 0, 0, new Uint8Array(8))]),
    concatBytes([
      frame(1, 0, 1, requestBlock().subarray(0, 20)),
      frame(9, 4, 1, requestBlock().subarray(20)),
    ]),
    concatBytes([frame(7, 0, 0, new Uint8Array(8)), frame(2, 0, 1, new Uint8Array(5))]),
  ],
  run: (bytes) => {
    const streams: Http2Stream[] = [];
    const connection = new Http2Connection(
      {
        onStream: (stream) => {
          streams.push(stream);
          stream.user = {
            onData: (data) =>
              void (stream.respond(OK), stream.write(new Uint8Array(data.length * 3))),
            onEnd: () => stream.end(OK),
            onDrain: () => undefined,
            onClose: () => undefined,
          };
        },
        onOutput: () => undefined,
        onFinished: () => undefined,
      },
      { maxStreams: 3, pings: new PingPolicy(5_000), monotonicMs: () => 0 },
    );
    connection.receive(HELLO);
    for (const piece of [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)]) {
      connection.receive(piece);
      connection.takeOutput();
    }
    assert(
      connection.streamCount === streams.filter((each) => !each.isClosed).length,
      'a stream is lost',
    );
    connection.finish();
    assert(connection.waitingBytes === 0, 'bytes wait for nobody');
  },
};

export const TARGETS: Readonly<Record<string, Target>> = { decoders, gateway, http2 };

/** An input for the eye, and for a test. */
export function shown(bytes: Uint8Array): string {
  return `${Buffer.from(bytes).toString('base64')} ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`;
}
