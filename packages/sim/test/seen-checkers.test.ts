import { utf8 } from '@etcd-ts/base';
import { EVENT_DELETE, EVENT_PUT, type KeyValue } from '@etcd-ts/mvcc';
import { describe, expect, it } from 'vitest';
import { checkAttachments } from '../src/checkers/attachment.ts';
import { checkDisappearance, type SeenEvidence } from '../src/checkers/disappearance.ts';
import type { LeaseEnding } from '../src/checkers/lease.ts';
import { CLOSING_CLIENT, EVERYTHING } from '../src/history/closing.ts';
import type { Operation } from '../src/history/operation.ts';
import type { WatchRecord } from '../src/history/watch-record.ts';
import { EtcdModel } from '../src/model/etcd-model.ts';
import { put, range } from './fixtures/history-maker.ts';
import { operation } from './fixtures/operation.ts';

const kv = (key: string, modRevision: number, lease = 0n): KeyValue => ({
  key: utf8(key),
  value: utf8('v'),
  createRevision: modRevision,
  modRevision,
  version: 1,
  lease,
});
const read = (at: number, kvs: KeyValue[], revision: number): Operation =>
  operation(
    at,
    { kind: 'range', request: range('k') },
    {
      kind: 'ok',
      response: { kind: 'range', result: { revision, kvs, more: false, count: kvs.length } },
    },
  );
const closing = (kvs: KeyValue[], revision: number): Operation => ({
  ...read(100, kvs, revision),
  client: CLOSING_CLIENT,
  request: { kind: 'range', request: range(EVERYTHING, { rangeEnd: utf8(EVERYTHING) }) },
});
const deleted = (at: number, outcome: 'unknown' | number): Operation =>
  operation(
    at,
    { kind: 'deleteRange', request: { key: utf8('k'), rangeEnd: utf8('l'), prevKv: false } },
    outcome === 'unknown'
      ? outcome
      : {
          kind: 'ok',
          response: { kind: 'deleteRange', result: { revision: outcome, deleted: 1, prevKvs: [] } },
        },
  );
const ending = (leaseId: bigint, revision: number, keys: string[]): LeaseEnding => ({
  leaseId,
  expired: true,
  atUs: 1,
  revision,
  keys,
});
const watch = (type: number, modRevision: number): WatchRecord => ({
  client: 1,
  member: 1,
  key: utf8('k'),
  rangeEnd: utf8(''),
  startRevision: 0,
  prevKv: false,
  noPut: false,
  noDelete: false,
  openedAt: 1,
  openedUs: 1,
  ended: undefined,
  responses: [
    {
      at: 2,
      atUs: 2,
      headerRevision: modRevision,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      events: [
        {
          type,
          kv: kv('k', modRevision),
          prevKv: undefined,
        },
      ],
    },
  ],
});

describe('the checker of what was seen', () => {
  const judge = (operations: Operation[], more: Partial<SeenEvidence> = {}): string[] =>
    checkDisappearance({ operations, watches: [], endings: [], ...more }).map(
      (each) => each.invariant,
    );

  it('accepts what is still there, was written over, or may have been deleted', () => {
    expect(judge([read(1, [kv('k', 5)], 5), closing([kv('k', 5)], 6)])).toEqual([]);
    expect(judge([read(1, [kv('k', 5)], 5), closing([kv('k', 6)], 6)])).toEqual([]);
    expect(judge([read(1, [kv('k', 5)], 5), deleted(2, 6), closing([], 6)])).toEqual([]);
    expect(judge([read(1, [kv('k', 5)], 5), deleted(2, 'unknown'), closing([], 6)])).toEqual([]);
    const endings = [ending(7n, 6, ['k'])];
    expect(judge([read(1, [kv('k', 5, 7n)], 5), closing([], 6)], { endings })).toEqual([]);
    expect(judge([closing([], 6)], { watches: [watch(EVENT_DELETE, 5)] })).toEqual([]);
  });

  it('accepts what went with a lease on which a write hung it that nobody saw', () => {
    const endings = [ending(7n, 7, ['k'])];
    const unknown = operation(2, put('k', 'w', 7n), 'unknown');
    expect(judge([read(1, [kv('k', 5)], 5), unknown, closing([], 7)], { endings })).toEqual([]);
    expect(judge([read(1, [kv('k', 5)], 5), unknown, closing([], 7)])).toEqual(['K7']);
    const other = operation(2, put('j', 'w', 7n), 'unknown');
    expect(judge([read(1, [kv('k', 5)], 5), other, closing([], 7)], { endings })).toEqual(['K7']);
  });

  it('says nothing when nobody looked at the end', () => {
    expect(judge([read(1, [kv('k', 5)], 5)])).toEqual([]);
  });

  it('sees what was read and is gone, or is as it was before (K7)', () => {
    expect(judge([read(1, [kv('k', 5)], 5), closing([], 6)])).toEqual(['K7']);
    expect(judge([read(1, [kv('k', 5)], 5), closing([kv('k', 3)], 6)])).toEqual(['K7']);
    expect(judge([closing([], 6)], { watches: [watch(EVENT_PUT, 5)] })).toEqual(['K7']);
    expect(judge([closing([kv('k', 3)], 6)], { watches: [watch(EVENT_DELETE, 5)] })).toEqual([
      'K7',
    ]);
  });

  it('sees what was deleted before it was read, and what another lease took (K7)', () => {
    expect(judge([deleted(0, 4), read(1, [kv('k', 5)], 5), closing([], 6)])).toEqual(['K7']);
    const endings = [ending(8n, 6, ['j'])];
    expect(judge([read(1, [kv('k', 5, 7n)], 5), closing([], 6)], { endings })).toEqual(['K7']);
  });

  it('sees a past that is gone as a whole (K7)', () => {
    expect(judge([read(1, [], 9), closing([], 6)])).toEqual(['K7']);
  });

  it('sees a write that was acknowledged and is gone (K7)', () => {
    const response = { kind: 'put', result: { revision: 5, prevKv: undefined } } as const;
    const written = operation(1, put('k', 'v'), { kind: 'ok', response });
    expect(judge([written, closing([kv('k', 5)], 6)])).toEqual([]);
    expect(judge([written, closing([], 6)])).toEqual(['K7']);
  });
});

describe('the checker of what hangs on leases', () => {
  /** `a` is put with lease 7 at revision 2 and with lease 8 at revision 3; `b` with lease 7 at 4. */
  const model = new EtcdModel();
  for (const [key, lease] of [
    ['a', 7n],
    ['a', 8n],
    ['b', 7n],
  ] as const) {
    const request = put(key, 'v', lease);
    if (request.kind === 'put') model.put(request.request);
  }
  const judge = (endings: LeaseEnding[], operations: Operation[] = []): string[] =>
    checkAttachments(operations, endings, model, (atUs) => atUs).map((each) => each.invariant);
  /** Revisions as times: an answer stands from the one before the call to that of its return. */
  const asked = (id: bigint, revision: number, keys: string[]): Operation =>
    operation(
      revision,
      { kind: 'leaseTimeToLive', id },
      {
        kind: 'ok',
        response: {
          kind: 'leaseTimeToLive',
          revision,
          ttlSeconds: 3,
          grantedTtlSeconds: 5,
          keys: keys.map((key) => utf8(key)),
        },
      },
    );

  it('accepts leases that have what was last put with them', () => {
    expect(judge([ending(7n, 5, ['b']), ending(9n, 4, [])])).toEqual([]);
    const answers = [asked(7n, 2, ['a']), asked(7n, 4, ['b']), asked(8n, 4, ['a'])];
    expect(judge([], answers)).toEqual([]);
  });

  it('accepts an answer of the leader that is older than the header of the member that was asked', () => {
    expect(judge([], [asked(7n, 3, ['a'])])).toEqual([]);
    expect(judge([], [asked(7n, 4, ['a'])])).toEqual(['L6']);
  });

  it('sees a lease that ends with a key that went to another, or without one of its own (L6)', () => {
    expect(judge([ending(7n, 5, ['a', 'b'])])).toEqual(['L6']);
    expect(judge([ending(8n, 4, [])])).toEqual(['L6']);
  });

  it('sees an answer that tells of other keys (L6)', () => {
    expect(judge([], [asked(7n, 4, ['a', 'b'])])).toEqual(['L6']);
    expect(judge([], [asked(8n, 4, [])])).toEqual(['L6']);
  });
});
