import { utf8 } from '@etcd-ts/base';
import type { RangeRequest } from '@etcd-ts/mvcc';
import { describe, expect, it } from 'vitest';
import { checkCompaction } from '../src/checkers/compaction.ts';
import { checkHeaderRevisions } from '../src/checkers/header-revisions.ts';
import type { Evidence } from '../src/checkers/placement.ts';
import { checkRefusedReads } from '../src/checkers/refused-reads.ts';
import { Sightings } from '../src/checkers/sightings.ts';
import { checkStrictSerializability } from '../src/checkers/strict-serializability.ts';
import {
  type Operation,
  type OperationRequest,
  type OperationResponse,
  responseRevision,
} from '../src/history/operation.ts';
import type { WatchRecord } from '../src/history/watch-record.ts';
import { EtcdModel } from '../src/model/etcd-model.ts';
import { KeySpace, type Version } from '../src/model/key-space.ts';
import { makeHistory, put, range } from './fixtures/history-maker.ts';
import { operation } from './fixtures/operation.ts';

const NO_RESPONSE = {
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  events: [],
};
const found = (evidence: Evidence): string[] =>
  checkStrictSerializability(evidence).violations.map((each) => each.invariant);

/** The history with one operation changed. */
const altered = (evidence: Evidence, id: number, change: Partial<Operation>): Evidence => ({
  ...evidence,
  operations: evidence.operations.map((each) => (each.id === id ? { ...each, ...change } : each)),
});

const ok = (operation: Operation, kind: string): boolean =>
  operation.outcome.kind === 'ok' && operation.outcome.response.kind === kind;

const history = makeHistory({ seed: 11, operations: 600, unknownPercent: 5 });
const nth = (kind: string, skip: number): Operation =>
  history.operations.filter((each) => ok(each, kind))[skip]!;

describe('the serializability checker', () => {
  it('accepts histories that are right, with unknown outcomes and ends of leases', () => {
    for (let seed = 0; seed < 60; seed++) {
      const made = makeHistory({ seed, operations: 300, unknownPercent: 10, clients: 8 });
      expect(checkStrictSerializability(made).violations).toEqual([]);
      expect(checkHeaderRevisions(made.operations)).toEqual([]);
    }
  });

  it('judges 100,000 operations with a few look-ups each', { timeout: 60_000 }, () => {
    const made = makeHistory({ seed: 1, operations: 100_000, clients: 50, keys: 10 });
    let lookUps = 0;
    class CountingSpace extends KeySpace {
      override at(key: string, revision: number): Version | undefined {
        lookUps++;
        return super.at(key, revision);
      }
    }
    expect(checkStrictSerializability(made, new EtcdModel(new CountingSpace())).violations).toEqual(
      [],
    );
    // Ten keys at most in a range, each looked for and read: whatever grows with the history would be far beyond.
    expect(lookUps).toBeGreaterThan(made.operations.length / 2);
    expect(lookUps).toBeLessThan(30 * made.operations.length);
  });

  it('sees a lost write', () => {
    const lost = nth('put', 40);
    const without = { ...history, operations: history.operations.filter((each) => each !== lost) };
    expect(found(without)).toContain('K1');
  });

  it('sees an acknowledged write that another one overwrote at the same revision', () => {
    const twin = { ...nth('put', 40), id: 9999 };
    expect(found({ ...history, operations: [...history.operations, twin] })).toContain('K1');
  });

  it('sees two results swapped', () => {
    const [a, b] = [nth('put', 30), nth('put', 33)];
    const swapped = altered(altered(history, a.id, { outcome: b.outcome }), b.id, {
      outcome: a.outcome,
    });
    expect(found(swapped).length).toBeGreaterThan(0);
  });

  it('sees an aged read', () => {
    const reads = history.operations.filter(
      (each) =>
        ok(each, 'range') &&
        each.request.kind === 'range' &&
        !each.request.request.serializable &&
        each.request.request.revision === 0,
    );
    const late = reads[reads.length - 1]!;
    const early = reads.find((each) => each.outcome.kind === 'ok')!;
    const aged = altered(history, late.id, { outcome: early.outcome, request: early.request });
    expect(found(aged)).toContain('K1');
  });

  it('sees a read from the future', () => {
    const write = nth('put', 60);
    const read: Operation = {
      ...write,
      id: 9999,
      request: { kind: 'range', request: range('k0') },
      invokedAt: -2,
      returnedAt: -1,
      outcome: {
        kind: 'ok',
        response: {
          kind: 'range',
          result: history.model.range(
            range('k0'),
            write.outcome.kind === 'ok' && write.outcome.response.kind === 'put'
              ? write.outcome.response.result.revision
              : 0,
          ),
        },
      },
    };
    expect(found({ ...history, operations: [...history.operations, read] })).toContain('K1');
  });

  it('sees that what a serializable read, a lease or a watch had shown is not there later', () => {
    const read = nth('range', 60);
    const revision = responseRevision((read.outcome as { response: OperationResponse }).response);
    const stale: Operation = {
      ...read,
      id: 9998,
      request: { kind: 'range', request: range('k0') },
    };
    const result = history.model.range(range('k0'), revision - 1);
    const linearizable = (at: number): Operation => ({
      ...stale,
      invokedAt: at,
      returnedAt: at + 0.5,
      outcome: { kind: 'ok', response: { kind: 'range', result } },
    });
    const shown = (request: OperationRequest, response: OperationResponse): Operation => ({
      ...read,
      id: 9999,
      invokedAt: -3,
      returnedAt: -2,
      request,
      outcome: { kind: 'ok', response },
    });
    const late = linearizable(-1.5);
    const with_ = (...more: Operation[]): Evidence => ({
      ...history,
      operations: [...history.operations, ...more],
    });
    const wish = range('k0', { serializable: true });
    const seen = { kind: 'range', result: history.model.range(wish, revision) } as const;
    expect(found(with_(shown({ kind: 'range', request: wish }, seen), late))).toContain('K1');
    const lease = shown({ kind: 'leaseRevoke', id: 9n }, { kind: 'leaseRevoke', revision });
    expect(found(with_(lease, late))).toContain('K1');
    const watch = (at: number): WatchRecord => ({
      ...makeHistory({ seed: 1, operations: 1, watchers: 1 }).watches[0]!,
      responses: [{ ...NO_RESPONSE, at, atUs: 0, headerRevision: revision }],
    });
    expect(found({ ...with_(late), watches: [watch(-2)] })).toContain('K1');
    // Who was told of a revision after all else had been asked for says nothing against it.
    expect(found({ ...history, watches: [watch(1e9)] })).toEqual([]);
  });

  it('sees a read of the past that is refused as one of the future', () => {
    const refused = (at: number, request: RangeRequest, connection = 1): Operation => ({
      ...operation(at, { kind: 'range', request }, { kind: 'failed', code: 'FUTURE_REV' }),
      connection,
    });
    const shown = operation(1, put('k', 'v'), {
      kind: 'ok',
      response: { kind: 'put', result: { revision: 2, prevKv: undefined } },
    });
    const check = (late: Operation): string[] => {
      const operations = [shown, late];
      const violations = checkRefusedReads(operations, new Sightings(operations));
      return violations.map((each) => each.invariant);
    };
    expect(check(refused(2, range('k', { revision: 2 })))).toEqual(['K3']);
    expect(check(refused(2, range('k', { revision: 2 }), 2))).toEqual(['K3']);
    expect(check(refused(2, range('k', { revision: 2, serializable: true })))).toEqual(['K3']);
    // Another member may not have come so far.
    expect(check(refused(2, range('k', { revision: 2, serializable: true }), 2))).toEqual([]);
    expect(check(refused(2, range('k', { revision: 3 })))).toEqual([]);
    expect(check(refused(1.2, range('k', { revision: 2 })))).toEqual([]);
  });

  it('sees an answer that shows no revision at all', () => {
    const request = range('k0', { serializable: true });
    const result = { revision: 0, kvs: [], more: false, count: 0 };
    const read = operation(
      -1,
      { kind: 'range', request },
      {
        kind: 'ok',
        response: { kind: 'range', result },
      },
    );
    expect(found({ ...history, operations: [...history.operations, read] })).toEqual(['K3']);
  });

  it('sees a wrong field in any answer', () => {
    let seen = 0;
    const answers = history.operations.filter((each) => ok(each, 'range'));
    for (const each of answers.slice(0, 80)) {
      const { outcome } = each;
      if (outcome.kind !== 'ok' || outcome.response.kind !== 'range') continue;
      const [kv] = outcome.response.result.kvs;
      if (kv === undefined) continue;
      for (const field of ['createRevision', 'modRevision', 'version'] as const) {
        const result = {
          ...outcome.response.result,
          kvs: [{ ...kv, [field]: kv[field] + 1 }, ...outcome.response.result.kvs.slice(1)],
        };
        const wrong = altered(history, each.id, {
          outcome: { kind: 'ok', response: { kind: 'range', result } },
        });
        expect(found(wrong).length).toBeGreaterThan(0);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(50);
  });

  it('sees a failed write that left a trace', () => {
    const failed = altered(history, nth('put', 20).id, {
      outcome: { kind: 'failed', code: 'TIMEOUT' },
    });
    expect(found(failed)).toContain('K1');
  });

  it('sees an unknown write that happened before it was asked for', () => {
    const [id, revision] = [...history.unknownRevisions].find(([, each]) => each > 40)!;
    expect(revision).toBeGreaterThan(0);
    const late = altered(history, id, { invokedAt: 1e9 });
    expect(found(late)).toContain('K1');
  });

  it('sees the end of a lease that left a key behind', () => {
    expect(history.leaseEnds.length).toBeGreaterThan(0);
    const first = history.leaseEnds[0]!;
    const wrong = {
      ...history,
      leaseEnds: history.leaseEnds.map((end) => (end === first ? { ...end, leaseId: 99n } : end)),
    };
    expect(found(wrong)).toContain('L3');
  });

  it('sees a wrong serializable read, and lets a stale one be', () => {
    const stale = history.operations.find(
      (each) =>
        each.request.kind === 'range' &&
        each.request.request.serializable &&
        each.outcome.kind === 'ok',
    )!;
    expect(found(altered(history, stale.id, { invokedAt: 1e9, returnedAt: 1e9 + 1 }))).toEqual([]);
    const { outcome } = stale;
    if (outcome.kind !== 'ok' || outcome.response.kind !== 'range') throw new Error('no range');
    const result = { ...outcome.response.result, count: outcome.response.result.count + 1 };
    const wrong = { kind: 'ok' as const, response: { kind: 'range' as const, result } };
    expect(found(altered(history, stale.id, { outcome: wrong }))).toEqual(['K6']);
  });
});

describe('the header checker', () => {
  it('sees a revision that goes back on one connection', () => {
    const [early, late] = [nth('range', 2), nth('range', 60)];
    const back = altered(history, late.id, {
      outcome: early.outcome,
      client: early.client,
      connection: early.connection,
    });
    expect(checkHeaderRevisions(back.operations).map((each) => each.invariant)).toContain('K2');
  });
});

describe('the compaction checker', () => {
  const at = (
    id: number,
    request: Operation['request'],
    outcome: Operation['outcome'],
  ): Operation => ({
    id,
    client: 1,
    member: 1,
    connection: 1,
    request,
    invokedAt: id * 2,
    returnedAt: id * 2 + 1,
    invokedUs: 0,
    returnedUs: 0,
    outcome,
  });
  const compact = (id: number, revision: number, outcome?: Operation['outcome']): Operation =>
    at(
      id,
      { kind: 'compact', revision, physical: false },
      outcome ?? { kind: 'ok', response: { kind: 'compact', revision } },
    );
  const read = (id: number, revision: number, outcome?: Operation['outcome']): Operation =>
    at(
      id,
      { kind: 'range', request: range('k', { revision }) },
      outcome ?? {
        kind: 'ok',
        response: { kind: 'range', result: { revision, kvs: [], more: false, count: 0 } },
      },
    );
  const judge = (operations: Operation[]): string[] =>
    checkCompaction(operations, 20).map((each) => each.invariant);
  const compacted: Operation['outcome'] = { kind: 'failed', code: 'COMPACTED' };

  it('accepts what etcd does', () => {
    expect(
      judge([
        read(0, 3),
        compact(1, 5),
        read(2, 5),
        read(3, 4, compacted),
        compact(4, 5, compacted),
        compact(5, 9),
      ]),
    ).toEqual([]);
  });

  it('sees a read of what is compacted', () => {
    expect(judge([compact(0, 5), read(1, 4)])).toEqual(['CP1']);
  });

  it('sees a refusal that no compaction explains', () => {
    expect(judge([compact(0, 5), read(1, 5, compacted)])).toEqual(['CP1']);
  });

  it('sees a compaction that goes back', () => {
    expect(judge([compact(0, 5), compact(1, 5)])).toEqual(['CP2']);
  });

  it('sees a compaction beyond the head', () => {
    expect(judge([compact(0, 21)])).toEqual(['CP2']);
  });

  it('takes a compaction with unknown outcome as an explanation, not as a fact', () => {
    const unknown = compact(0, 5, { kind: 'unknown', code: 'TIMEOUT' });
    expect(judge([unknown, read(1, 4), read(2, 4, compacted)])).toEqual([]);
  });
});

describe('what the maker makes', () => {
  it('has unknown outcomes of both kinds', () => {
    expect(history.unknownRevisions.size).toBeGreaterThan(5);
    expect(put('k', 'v').kind).toBe('put');
    expect(utf8('k').length).toBe(1);
  });
});
