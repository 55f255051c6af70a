import { memberId, utf8 } from '@etcd-ts/base';
import { RangeRequest, WatchCreateRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { failure, type Harness, harness } from './harness.ts';
import { turns } from './manual-clock.ts';

const HAS_LEADER = new Map([['hasleader', 'true']]);
const NO_LEADER = memberId(0n);

function range({ channel }: Harness, serializable: boolean, metadata = new Map<string, string>()) {
  const request = RangeRequest.fromPartial({ key: utf8('a'), serializable });
  return channel.unary('etcdserverpb.KV/Range', request, { metadata });
}

describe('hasleader', () => {
  test('lets a call fail at once where there is no leader, even one that needs none', async () => {
    const h = await harness();
    h.node.setStatus({ leader: NO_LEADER, isLeader: false });
    expect(await failure(range(h, true, HAS_LEADER))).toBe('NO_LEADER');
    expect((await range(h, true)).count).toBe(0);
  });

  test('ends a stream after three election timeouts without a leader, and not before', async () => {
    const h = await harness();
    const call = h.channel.stream('etcdserverpb.Watch/Watch', { metadata: HAS_LEADER });
    const value = WatchCreateRequest.fromPartial({ key: utf8('a') });
    call.send({ requestUnion: { $case: 'createRequest', value } });
    let heard = 0;
    const reading = failure(
      (async () => {
        for await (const response of call.responses) heard += response.created ? 1 : 0;
      })(),
    );
    await turns();
    h.node.setStatus({ leader: NO_LEADER, isLeader: false });
    await h.node.time.advance(2_999);
    h.node.setStatus({ leader: h.node.memberId });
    h.node.setStatus({ leader: NO_LEADER });
    await h.node.time.advance(2_999);
    expect(h.node.state.store.hub.counts.synced).toBe(1);
    await h.node.time.advance(1);
    expect(await reading).toBe('NO_LEADER');
    expect(heard).toBe(1);
    await turns();
    expect(h.node.state.store.hub.counts.synced).toBe(0);
  });

  test('ends a stream in that time however many elections are held in it that nobody wins', async () => {
    const h = await harness();
    const call = h.channel.stream('etcdserverpb.Watch/Watch', { metadata: HAS_LEADER });
    const ended = failure(call.responses[Symbol.asyncIterator]().next());
    await turns();
    h.node.setStatus({ leader: NO_LEADER, isLeader: false });
    for (const term of [3, 4]) {
      await h.node.time.advance(1_200);
      h.node.setStatus({ term });
    }
    await h.node.time.advance(600);
    expect(h.node.time.pendingTimers).toBe(0);
    expect(await ended).toBe('NO_LEADER');
  });
});

describe('a learner', () => {
  test('serves serializable ranges and Status, and refuses the rest', async () => {
    const h = await harness();
    h.node.setStatus({ isLearner: true, isLeader: false });
    expect((await range(h, true)).count).toBe(0);
    expect((await h.channel.unary('etcdserverpb.Maintenance/Status', {})).isLearner).toBe(true);
    const refused = [
      range(h, false),
      h.put('a'),
      h.grant(7n, 10),
      h.channel.unary('etcdserverpb.Cluster/MemberList', { linearizable: false }),
    ];
    for (const call of refused) expect(await failure(call)).toBe('NOT_SUPPORTED_FOR_LEARNER');
    const watching = (async () => {
      for await (const _ of h.channel.stream('etcdserverpb.Watch/Watch').responses);
    })();
    expect(await failure(watching)).toBe('NOT_SUPPORTED_FOR_LEARNER');
  });
});

describe('the metadata client-api-version', () => {
  const version = (text: string): Map<string, string> => new Map([['client-api-version', text]]);

  test('has to be UTF-8, in calls and in streams', async () => {
    const h = await harness();
    const broken = version('3.6\u00ff');
    expect(await failure(range(h, true, broken))).toBe('INVALID_CLIENT_API_VERSION');
    const call = h.channel.stream('etcdserverpb.Watch/Watch', { metadata: broken });
    const next = call.responses[Symbol.asyncIterator]().next();
    expect(await failure(next)).toBe('INVALID_CLIENT_API_VERSION');
  });

  test('may be anything else', async () => {
    const h = await harness();
    // One character for each byte, as doors hand metadata on.
    for (const text of ['3.6', '', '\u00c3\u00a9']) {
      expect((await range(h, true, version(text))).count).toBe(0);
    }
  });
});
