import { assert, deferred } from '@etcd-ts/base';
import { EtcdError } from '../errors.ts';
import type { StreamCall } from '../channel.ts';
import type { CallContext, StreamHandler } from '../services.ts';
import { untilAborted } from '../until-aborted.ts';
import type { ChannelClaim } from './channel-suite.ts';
import { claim, errorOf, same } from './claim.ts';

const KEEP_ALIVE = 'etcdserverpb.Lease/LeaseKeepAlive';
const SNAPSHOT = 'etcdserverpb.Maintenance/Snapshot';

interface Id {
  ID: bigint;
}
interface Answer extends Id {
  TTL: number;
}
type Echo = StreamHandler<Id, Answer>;

const echo: Echo = async (requests, _context, responses) => {
  for await (const { ID } of requests) {
    if (!responses.send({ ID, TTL: 1 })) await responses.drained();
  }
};

/** Reads so many answers, or all. */
async function read(call: StreamCall<Id, Answer>, count = Infinity): Promise<bigint[]> {
  const ids: bigint[] = [];
  if (count === 0) return ids;
  for await (const { ID } of call.responses) {
    ids.push(ID);
    if (ids.length >= count) break;
  }
  return ids;
}

/** A stream that answers with what `serve` sends and then waits until it is over. */
function open(): { readonly opened: Promise<CallContext>; readonly handler: Echo } {
  const opened = deferred<CallContext>();
  const handler: Echo = async (_requests, context, responses) => {
    opened.resolve(context);
    responses.send({ ID: 1n, TTL: 1 });
    await untilAborted(context.signal);
  };
  return { opened: opened.promise, handler };
}

/** Claims about streams. */
export const streamClaims: readonly ChannelClaim[] = [
  claim(
    'a stream carries messages both ways, in order, and ends when the handler ends',
    () => ({ [KEEP_ALIVE]: echo }),
    async ({ channel }) => {
      const call = channel.stream(KEEP_ALIVE);
      for (let id = 1n; id <= 10n; id++) call.send({ ID: id });
      call.end();
      same((await read(call)).join(), '1,2,3,4,5,6,7,8,9,10', 'ids');
    },
  ),
  claim(
    'the handler goes on after the client has half-closed',
    () => ({
      [KEEP_ALIVE]: async (requests, _context, responses) => {
        let count = 0n;
        for await (const _request of requests) count++;
        responses.send({ ID: count, TTL: 1 });
      },
    }),
    async ({ channel }) => {
      const call = channel.stream(KEEP_ALIVE);
      call.send({ ID: 1n });
      call.send({ ID: 2n });
      call.end();
      same((await read(call)).join(), '2', 'count of requests');
    },
  ),
  claim(
    'a server stream takes one request and sends what it likes',
    () => ({
      [SNAPSHOT]: async (requests, _context, responses) => {
        let remainingBytes = 0;
        for await (const _request of requests) remainingBytes++;
        responses.send({ remainingBytes, blob: new Uint8Array(70_000), version: '3.6.0' });
      },
    }),
    async ({ channel }) => {
      const call = channel.stream(SNAPSHOT);
      call.send({});
      call.end();
      const sizes: number[] = [];
      for await (const { blob, remainingBytes } of call.responses)
        sizes.push(remainingBytes, blob.length);
      same(sizes.join(), '1,70000', 'requests seen and bytes sent');
    },
  ),
  claim(
    'an error comes after the messages that were sent before it',
    () => ({
      [KEEP_ALIVE]: (_requests, _context, responses) => {
        responses.send({ ID: 1n, TTL: 1 });
        responses.send({ ID: 2n, TTL: 1 });
        return Promise.reject(new EtcdError('NO_LEADER'));
      },
    }),
    async ({ channel }) => {
      const call = channel.stream(KEEP_ALIVE);
      const ids: bigint[] = [];
      const reading = (async () => {
        for await (const { ID } of call.responses) ids.push(ID);
      })();
      same((await errorOf(reading)).code, 'NO_LEADER', 'code');
      same(ids.join(), '1,2', 'ids');
    },
  ),
  claim(
    'a stream that is not served fails with UNIMPLEMENTED',
    () => ({}),
    async ({ channel }) => {
      same((await errorOf(read(channel.stream(KEEP_ALIVE)))).code, 'UNIMPLEMENTED', 'code');
    },
  ),
  ...endings(),
  claim(
    'a client that does not read holds the handler back, and loses nothing',
    () => ({
      [SNAPSHOT]: async (_requests, context, responses) => {
        const blob = new Uint8Array(10_000);
        for (let i = 0; i < 500 && !context.signal.aborted; i++) {
          if (!responses.send({ remainingBytes: i, blob, version: '' })) await responses.drained();
        }
      },
    }),
    async ({ channel }) => {
      const call = channel.stream(SNAPSHOT);
      call.send({});
      call.end();
      let expected = 0;
      for await (const { remainingBytes } of call.responses) {
        same(remainingBytes, expected, 'number of the message');
        expected++;
        if (expected % 100 === 0) await Promise.resolve();
      }
      same(expected, 500, 'messages read');
    },
  ),
  holdsBack(),
];

/** Claims about the ways in which a client ends a stream. */
function endings(): ChannelClaim[] {
  const left = open();
  const cancelled = open();
  const signalled = open();
  return [
    claim(
      'leaving the loop early ends the call for the handler',
      () => ({ [KEEP_ALIVE]: left.handler }),
      async ({ channel }) => {
        same((await read(channel.stream(KEEP_ALIVE), 1)).join(), '1', 'ids');
        await untilAborted((await left.opened).signal);
      },
    ),
    claim(
      'cancel ends the call at once on both sides',
      () => ({ [KEEP_ALIVE]: cancelled.handler }),
      async ({ channel }) => {
        const call = channel.stream(KEEP_ALIVE);
        const context = await cancelled.opened;
        call.cancel();
        same((await errorOf(read(call))).code, 'CANCELED', 'code');
        await untilAborted(context.signal);
        assert(!call.send({ ID: 1n }), 'a cancelled call takes no more requests');
        await call.drained();
        call.cancel();
      },
    ),
    claim(
      'an aborted signal ends the stream with CANCELED',
      () => ({ [KEEP_ALIVE]: signalled.handler }),
      async ({ channel }) => {
        const controller = new AbortController();
        const call = channel.stream(KEEP_ALIVE, { signal: controller.signal });
        const context = await signalled.opened;
        controller.abort();
        same((await errorOf(read(call))).code, 'CANCELED', 'code');
        await untilAborted(context.signal);
      },
    ),
  ];
}

/** The sink must say that it is full while nobody reads. */
function holdsBack(): ChannelClaim {
  const full = deferred<void>();
  const handler: StreamHandler<
    unknown,
    { remainingBytes: number; blob: Uint8Array; version: string }
  > = async (_requests, context, responses) => {
    const blob = new Uint8Array(64 * 1024);
    for (let i = 0; i < 1_000; i++) {
      if (responses.send({ remainingBytes: i, blob, version: '' })) continue;
      full.resolve();
      // Nobody reads: there is room again only when the call has ended.
      await responses.drained();
      if (context.signal.aborted) return;
    }
    full.reject(new Error('64 MB were taken without a word'));
  };
  return claim(
    'a sink says that it is full while nobody reads, and wakes its sender when the call ends',
    () => ({ [SNAPSHOT]: handler }),
    async ({ channel }) => {
      const call = channel.stream(SNAPSHOT);
      call.send({});
      call.end();
      await full.promise;
      call.cancel();
    },
  );
}
