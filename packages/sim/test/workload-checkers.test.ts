import { utf8 } from '@etcd-ts/base';
import type { KeyValue, RequestOp, TxnOpResult } from '@etcd-ts/mvcc';
import { describe, expect, it } from 'vitest';
import { checkBank } from '../src/checkers/bank.ts';
import { checkCaches } from '../src/checkers/cache.ts';
import { Graph } from '../src/checkers/graph.ts';
import { checkLists } from '../src/checkers/list.ts';
import { checkSet } from '../src/checkers/set.ts';
import type { Operation, OperationRequest } from '../src/history/operation.ts';
import { EtcdModel } from '../src/model/etcd-model.ts';
import { compareCreate, putOp, rangeOp } from '../src/workload/txn-parts.ts';
import { rangeRequest } from '../src/workload/wire.ts';
import { put } from './fixtures/history-maker.ts';
import { operation } from './fixtures/operation.ts';

const kv = (key: string, value: string, version = 1): KeyValue => ({
  key: utf8(key),
  value: utf8(value),
  createRevision: 2,
  modRevision: 2,
  version,
  lease: 0n,
});
const readAll = (at: number, prefix: string, end: string, kvs: KeyValue[]): Operation =>
  operation(
    at,
    { kind: 'range', request: rangeRequest(prefix, { rangeEnd: utf8(end) }) },
    {
      kind: 'ok',
      response: { kind: 'range', result: { revision: 9, kvs, more: false, count: kvs.length } },
    },
  );
const ids = (violations: readonly { readonly invariant: string }[]): string[] =>
  violations.map((each) => each.invariant);

describe('the bank checker', () => {
  const audit = (...amounts: number[]): Operation =>
    readAll(
      1,
      'bank/',
      'bank0',
      amounts.map((amount, i) => kv(`bank/${i}`, `${amount} c1-${i}`)),
    );
  it('accepts money that has moved, and accounts that were never written', () => {
    expect(ids(checkBank([audit(), audit(90, 110), audit(0, 250, 50, 100)]))).toEqual([]);
  });

  it('sees money that came from nowhere, and debts (K8)', () => {
    expect(ids(checkBank([audit(90, 100)]))).toEqual(['K8']);
    expect(ids(checkBank([audit(-10, 210, 100, 100)]))).toEqual(['K8']);
  });
});

describe('the set checker', () => {
  const add = (at: number, name: string, outcome: 'made' | 'there' | 'unknown'): Operation => {
    const key = `set/${name}`;
    const request = {
      compare: [compareCreate(key, 0)],
      success: [putOp(key, utf8('v'))],
      failure: [rangeOp(key)],
    };
    if (outcome === 'unknown') return operation(at, { kind: 'txn', request }, 'unknown');
    const result = { revision: 2, succeeded: outcome === 'made', responses: [] };
    const response = { kind: 'txn', result } as const;
    return operation(at, { kind: 'txn', request }, { kind: 'ok', response });
  };
  const read = (at: number, ...names: string[]): Operation =>
    readAll(
      at,
      'set/',
      'set0',
      names.map((name) => kv(`set/${name}`, 'v')),
    );

  it('accepts what was added, also when nobody was told at first', () => {
    const history = [
      add(1, 'a', 'made'),
      add(2, 'b', 'unknown'),
      read(3, 'a'),
      add(4, 'b', 'there'),
    ];
    expect(ids(checkSet([...history, read(5, 'a', 'b')]))).toEqual([]);
  });

  it('sees an element that is lost, invented or made twice (K9)', () => {
    const history = [add(1, 'a', 'made'), add(2, 'b', 'unknown'), add(3, 'b', 'there')];
    expect(ids(checkSet([...history, read(4, 'a')]))).toEqual(['K9']);
    expect(ids(checkSet([...history, read(4, 'a', 'b', 'c')]))).toEqual(['K9']);
    const twice = readAll(4, 'set/', 'set0', [kv('set/a', 'v', 2), kv('set/b', 'v')]);
    expect(ids(checkSet([...history, twice]))).toEqual(['K9']);
  });
});

describe('the list checker', () => {
  const txn = (
    at: number,
    success: RequestOp[],
    responses: TxnOpResult[],
    lasts = 0.5,
  ): Operation => ({
    ...operation(
      at,
      { kind: 'txn', request: { compare: [], success, failure: [] } },
      {
        kind: 'ok',
        response: { kind: 'txn', result: { revision: 2, succeeded: true, responses } },
      },
    ),
    returnedAt: at + lasts,
  });
  const append = (at: number, list: string, items: string, lasts?: number): Operation =>
    txn(
      at,
      [putOp(`list/${list}`, utf8(items))],
      [{ $case: 'responsePut', value: { revision: 2, prevKv: undefined } }],
      lasts,
    );
  const read = (at: number, seen: Record<string, string>, lasts?: number): Operation =>
    txn(
      at,
      Object.keys(seen).map((list) => rangeOp(`list/${list}`)),
      Object.entries(seen).map(([list, items]) => ({
        $case: 'responseRange',
        value: {
          revision: 2,
          kvs: items === '' ? [] : [kv(`list/${list}`, items)],
          more: false,
          count: 1,
        },
      })),
      lasts,
    );

  it('accepts lists that grow in one order', () => {
    const history = [append(1, 'x', 'a'), append(2, 'y', 'b'), read(3, { x: 'a', y: 'b' })];
    expect(ids(checkLists([...history, append(4, 'x', 'a c'), read(5, { x: 'a c' })]))).toEqual([]);
  });

  it('accepts two lists of a transaction of unknown outcome of which one was looked at afterwards', () => {
    const both = txn(2, [putOp('list/x', utf8('a b')), putOp('list/y', utf8('b'))], []);
    const unknown: Operation = { ...both, outcome: { kind: 'unknown', code: 'TIMEOUT' } };
    const history = [append(1, 'x', 'a'), unknown];
    expect(ids(checkLists([...history, read(4, { y: 'b' })]))).toEqual([]);
    expect(ids(checkLists([...history, read(4, { y: 'b' }), read(6, { x: 'a' })]))).toContain(
      'K10',
    );
  });

  it('sees an item that is lost or has another place (K10)', () => {
    const history = [append(1, 'x', 'a'), append(2, 'x', 'a b')];
    expect(ids(checkLists([...history, append(3, 'x', 'a c d')]))).not.toEqual([]);
    expect(ids(checkLists([...history, read(3, { x: 'b' })]))).toContain('K10');
  });

  it('sees a read from before what had been written (K10)', () => {
    expect(ids(checkLists([append(1, 'x', 'a'), read(2, { x: '' })]))).toEqual(['K10']);
  });

  it('sees two reads that each miss what the other has seen, though no key alone is wrong (K10)', () => {
    // Both writes overlap both reads in time.
    const writes = [append(1, 'x', 'a', 10), append(1.1, 'y', 'b', 10)];
    const reads = [read(2, { x: 'a', y: '' }, 5), read(2.1, { x: '', y: 'b' }, 5)];
    expect(ids(checkLists([...writes, reads[0]!]))).toEqual([]);
    expect(ids(checkLists([...writes, ...reads]))).toEqual(['K10']);
  });
});

describe('a graph', () => {
  it('has a cycle only where there is one', () => {
    const graph = new Graph(4);
    graph.connect(0, 1);
    graph.connect(1, 2);
    graph.connect(3, 2);
    expect(graph.findCycle()).toBeUndefined();
    graph.connect(2, 0);
    expect(new Set(graph.findCycle())).toEqual(new Set([0, 1, 2]));
  });

  it('knows that what had ended came before what began', () => {
    const graph = new Graph(3);
    const intervals = [
      { from: 0, to: 1 },
      { from: 2, to: 3 },
      { from: 2.5, to: Infinity },
    ];
    graph.connectByTime(intervals);
    graph.connect(2, 1);
    expect(graph.findCycle()).toBeUndefined();
    graph.connect(1, 0);
    expect(new Set(graph.findCycle())).toEqual(new Set([0, 1, 2]));
  });
});

describe('the cache checker', () => {
  const model = new EtcdModel();
  for (const key of ['key/a', 'key/b', 'key/a']) {
    const { request } = put(key, 'v') as Extract<OperationRequest, { kind: 'put' }>;
    model.put(request);
  }
  const judge = (revision: number, keys: Record<string, number>): string[] =>
    ids(
      checkCaches(
        [{ client: 1, revision, keys: new Map(Object.entries(keys)) }],
        'key/',
        'key0',
        model,
      ),
    );

  it('accepts what the store held at its revision', () => {
    expect(judge(3, { 'key/a': 2, 'key/b': 3 })).toEqual([]);
    expect(judge(4, { 'key/a': 4, 'key/b': 3 })).toEqual([]);
  });

  it('sees a key that is old, missing or too many (W13)', () => {
    expect(judge(4, { 'key/a': 2, 'key/b': 3 })).toEqual(['W13']);
    expect(judge(4, { 'key/a': 4 })).toEqual(['W13']);
    expect(judge(2, { 'key/a': 2, 'key/b': 3 })).toEqual(['W13']);
  });
});
