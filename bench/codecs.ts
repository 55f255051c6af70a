// npm run bench -- codecs: which protobuf runtime the wire's codecs should be. Medians of several rounds, on one core.
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type MessageCodec, PutRequest, RangeResponse, WatchResponse } from '@etcd-ts/protocol';
import { loadDescriptors, loadRoot } from './codecs/protos.ts';
import { loadTsProto } from './codecs/ts-proto.ts';

const ROUNDS = 9;
const ROUND_MS = 60;

/** One runtime's way with one message: bytes in, bytes out, by its own objects. */
interface Candidate {
  readonly name: string;
  /** Decodes; the object is what `encode` takes. */
  decode(bytes: Uint8Array): unknown;
  encode(message: unknown): Uint8Array;
}

const key = (i: number): Uint8Array => Buffer.from(`/registry/pods/default/${i}`);
const header = {
  clusterId: 14841639068965178418n,
  memberId: 10276657743932975437n,
  revision: 812_345,
  raftTerm: 7,
};
const kv = (i: number) => ({
  key: key(i),
  value: new Uint8Array(128).fill(i),
  createRevision: 800_000 + i,
  modRevision: 812_000 + i,
  version: 3,
  lease: i % 2 === 0 ? 0n : 7587899044016736268n,
});

const samples: readonly (readonly [string, string, MessageCodec<never>, Uint8Array])[] = [
  sample(
    'Put',
    PutRequest,
    PutRequest.fromPartial({
      key: key(1),
      value: new Uint8Array(128),
      lease: 7587899044016736268n,
    }),
  ),
  sample('Range of 100', RangeResponse, {
    header,
    kvs: Array.from({ length: 100 }, (_, i) => kv(i)),
    more: false,
    count: 100,
  }),
  sample(
    'Watch of 10 events',
    WatchResponse,
    WatchResponse.fromPartial({
      header,
      watchId: 1n,
      events: Array.from({ length: 10 }, (_, i) => ({ type: 0, kv: kv(i) })),
    }),
  ),
];

function sample<T>(
  what: string,
  codec: MessageCodec<T>,
  message: T,
): readonly [string, string, MessageCodec<never>, Uint8Array] {
  return [what, codec.typeName, codec as unknown as MessageCodec<never>, codec.encode(message)];
}

/** Median nanoseconds of one run. */
function measure(run: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS + 2; round++) {
    let count = 0;
    const start = process.hrtime.bigint();
    const end = start + BigInt(ROUND_MS) * 1_000_000n;
    let now = start;
    while (now < end) {
      for (let i = 0; i < 50; i++) run();
      count += 50;
      now = process.hrtime.bigint();
    }
    // The first two rounds let the code become warm.
    if (round >= 2) rounds.push(Number(now - start) / count);
  }
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
}

async function candidates(typeName: string, own: MessageCodec<never>): Promise<Candidate[]> {
  const type = loadRoot().lookupType(typeName);
  const schema = createFileRegistry(loadDescriptors()).getMessage(typeName);
  const tsProto = (await loadTsProto())[typeName.split('.').at(-1) ?? ''];
  if (schema === undefined || tsProto === undefined) throw new Error(`no ${typeName}`);
  return [
    {
      name: 'own',
      decode: (bytes) => own.decode(bytes),
      encode: (message) => own.encode(message as never),
    },
    {
      name: 'ts-proto (bigint)',
      decode: (bytes) => tsProto.decode(bytes),
      encode: (message) => tsProto.encode(message).finish(),
    },
    {
      name: 'protobufjs',
      decode: (bytes) => type.decode(bytes),
      encode: (message) => type.encode(message as never).finish(),
    },
    {
      name: 'protobuf-es',
      decode: (bytes) => fromBinary(schema, bytes),
      encode: (message) => toBinary(schema, message as never),
    },
  ];
}

console.log('| message | bytes | runtime | encode µs | decode µs | all 64 bits |');
console.log('|---|---|---|---|---|---|');
for (const [what, typeName, own, bytes] of samples) {
  for (const candidate of await candidates(typeName, own)) {
    const message = candidate.decode(bytes);
    const again = candidate.encode(message);
    const isExact = Buffer.compare(again, bytes) === 0;
    const cells = [
      what,
      bytes.length,
      candidate.name,
      (measure(() => void candidate.encode(message)) / 1000).toFixed(2),
      (measure(() => void candidate.decode(bytes)) / 1000).toFixed(2),
      isExact ? 'yes' : 'no',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}
