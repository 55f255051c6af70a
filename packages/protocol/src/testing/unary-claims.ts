import { assert, deferred, utf8 } from '@etcd-ts/base';
import { EtcdError } from '../errors.ts';
import type { CallContext } from '../services.ts';
import { untilAborted } from '../until-aborted.ts';
import type { ChannelClaim } from './channel-suite.ts';
import { claim, errorOf, put, same } from './claim.ts';

const PUT = 'etcdserverpb.KV/Put';
const header = {
  clusterId: 0xffff_ffff_ffff_fffen,
  memberId: 1n,
  revision: 2 ** 53 - 1,
  raftTerm: 3,
};

/** A handler that says when it was called, and answers when it is told to. */
function waiting(): {
  readonly called: Promise<CallContext>;
  readonly handler: (request: unknown, context: CallContext) => Promise<{ header: undefined }>;
} {
  const called = deferred<CallContext>();
  return {
    called: called.promise,
    handler: (_request, context) => {
      called.resolve(context);
      return new Promise(() => undefined);
    },
  };
}

/** Claims about calls with one response. */
export const unaryClaims: readonly ChannelClaim[] = [
  claim(
    'a unary call gives what the handler answers, with all 64 bits of its ids',
    () => ({
      [PUT]: (request) =>
        Promise.resolve({
          header,
          prevKv: { ...request, createRevision: 1, modRevision: 2, version: 3 },
        }),
    }),
    async ({ channel }) => {
      const answer = await channel.unary(PUT, { ...put('value'), lease: -(2n ** 63n) });
      same(answer.header?.clusterId, header.clusterId, 'cluster id');
      same(answer.header?.revision, header.revision, 'revision');
      same(answer.prevKv?.value, utf8('value'), 'value');
      same(answer.prevKv?.lease, -(2n ** 63n), 'lease');
    },
  ),
  claim(
    'an EtcdError of the handler arrives with its code and text',
    () => ({ [PUT]: () => Promise.reject(new EtcdError('LEASE_NOT_FOUND')) }),
    async ({ channel }) => {
      const error = await errorOf(channel.unary(PUT, put('')));
      same(error.code, 'LEASE_NOT_FOUND', 'code');
      same(error.message, 'etcdserver: requested lease not found', 'text');
      same(error.mayHaveApplied, false, 'mayHaveApplied');
    },
  ),
  claim(
    'any other error of the handler arrives as UNKNOWN with its text',
    () => ({ [PUT]: () => Promise.reject(new Error('größer % 100')) }),
    async ({ channel }) => {
      const error = await errorOf(channel.unary(PUT, put('')));
      same(error.code, 'UNKNOWN', 'code');
      same(error.message, 'größer % 100', 'text');
    },
  ),
  claim(
    'a method that is not served answers UNIMPLEMENTED',
    () => ({ [PUT]: () => Promise.resolve({ header }) }),
    async ({ channel }) => {
      const method = await errorOf(
        channel.unary('etcdserverpb.KV/Compact', { revision: 1, physical: false }),
      );
      same(method.code, 'UNIMPLEMENTED', 'code');
      same(method.message, 'unknown method Compact for service etcdserverpb.KV', 'text');
      const service = await errorOf(channel.unary('etcdserverpb.Auth/AuthEnable', {}));
      same(service.message, 'unknown service etcdserverpb.Auth', 'text');
    },
  ),
  claim(
    'metadata reaches the handler',
    () => ({
      [PUT]: (_request, { metadata }) =>
        Promise.resolve({
          header: { ...header, revision: metadata.get('token') === 'abc' ? 1 : 0 },
        }),
    }),
    async ({ channel }) => {
      const answer = await channel.unary(PUT, put(''), { metadata: new Map([['token', 'abc']]) });
      same(answer.header?.revision, 1, 'token seen');
    },
  ),
  claim(
    'neither side sees what the other writes into its bytes later',
    () => {
      const kept: Uint8Array[] = [];
      return {
        [PUT]: (request) => {
          kept.push(request.value);
          const value = kept[0] ?? request.value;
          const prevKv = { ...request, value, createRevision: 1, modRevision: 1, version: 1 };
          return Promise.resolve({ header, prevKv });
        },
      };
    },
    async ({ channel }) => {
      const request = put('first');
      const first = await channel.unary(PUT, request);
      request.value.fill(0);
      first.prevKv?.value.fill(0);
      const second = await channel.unary(PUT, put('second'));
      same(second.prevKv?.value, utf8('first'), 'what the handler has kept');
    },
  ),
  claim(
    'calls at the same time get each its own answer',
    () => ({
      [PUT]: async (request) => {
        if (request.value.length % 2 === 0) await Promise.resolve();
        return { header: { ...header, revision: request.value.length } };
      },
    }),
    async ({ channel }) => {
      const lengths = Array.from({ length: 200 }, (_, i) => i);
      const answers = await Promise.all(lengths.map((n) => channel.unary(PUT, put('x'.repeat(n)))));
      answers.forEach((answer, n) => same(answer.header?.revision, n, `answer ${n}`));
    },
  ),
  ...cancellation(),
];

/** Claims about calls that do not come to their end. */
function cancellation(): ChannelClaim[] {
  const abort = waiting();
  const deadline = waiting();
  const closing = waiting();
  return [
    claim(
      'an aborted signal fails the call at once with CANCELED, outcome unknown, and aborts the handler',
      () => ({ [PUT]: abort.handler }),
      async ({ channel }) => {
        const controller = new AbortController();
        const call = errorOf(channel.unary(PUT, put(''), { signal: controller.signal }));
        const { signal } = await abort.called;
        controller.abort();
        const error = await call;
        same(error.code, 'CANCELED', 'code');
        same(error.mayHaveApplied, true, 'mayHaveApplied');
        await untilAborted(signal);
      },
    ),
    claim(
      'a signal that is aborted beforehand keeps the call from being made',
      () => ({ [PUT]: () => Promise.reject(new Error('called')) }),
      async ({ channel }) => {
        const signal = AbortSignal.abort();
        const error = await errorOf(channel.unary(PUT, put(''), { signal }));
        same(error.code, 'CANCELED', 'code');
        same(error.mayHaveApplied, false, 'mayHaveApplied');
      },
    ),
    claim(
      'a deadline that passes fails the call with DEADLINE_EXCEEDED and aborts the handler',
      () => ({ [PUT]: deadline.handler }),
      async (world) => {
        const call = errorOf(world.channel.unary(PUT, put(''), { timeoutMs: 200 }));
        // Where time is real, a slow machine may need all of it before the handler is called.
        const context = await Promise.race([deadline.called, call.then(() => undefined)]);
        world.passTime(1_000);
        const error = await call;
        same(error.code, 'DEADLINE_EXCEEDED', 'code');
        if (context === undefined) return;
        assert((context.timeoutMs ?? 0) > 0, () => `timeoutMs was ${context.timeoutMs}`);
        same(error.mayHaveApplied, true, 'mayHaveApplied');
        await untilAborted(context.signal);
      },
    ),
    claim(
      'closing the channel fails what is under way and what comes after with CANCELED',
      () => ({ [PUT]: closing.handler }),
      async ({ channel }) => {
        const call = errorOf(channel.unary(PUT, put('')));
        const { signal } = await closing.called;
        await channel.close();
        same((await call).code, 'CANCELED', 'code of the call under way');
        await untilAborted(signal);
        same((await errorOf(channel.unary(PUT, put('')))).code, 'CANCELED', 'code of a later call');
        await channel.close();
      },
    ),
  ];
}
