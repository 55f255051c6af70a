/** The log's verdicts: each history is right as a whole, and wrong with one verdict changed. */
import type { RequestOp, TxnRequest } from '@etcd-ts/mvcc';
import { describe, expect, it } from 'vitest';
import { checkTraces, checkVerdicts } from '../src/checkers/verdicts.ts';
import type { GhostCommand, GhostEntry } from '../src/cluster/ghost.ts';
import { EtcdModel } from '../src/model/etcd-model.ts';
import type { OperationRequest } from '../src/history/operation.ts';
import { put, range } from './fixtures/history-maker.ts';
import { operation } from './fixtures/operation.ts';

type PutCommand = Extract<GhostCommand, { kind: 'put' }>;

const putCommand = (key: string, lease = 0n, flags: { ignoreValue?: boolean } = {}): PutCommand => {
  const { request } = put(key, 'x', lease) as PutCommand;
  return { kind: 'put', request: { ...request, ...flags } };
};
const grant = (ID: bigint): GhostCommand => ({ kind: 'leaseGrant', request: { ID, TTL: 5 } });
const revoke = (ID: bigint): GhostCommand => ({ kind: 'leaseRevoke', request: { ID } });
const expire = (ids: bigint[], asOfIndex: number): GhostCommand => ({
  kind: 'leaseRevokeExpired',
  ids,
  term: 1,
  asOfIndex,
});
const compact = (revision: number): GhostCommand => ({
  kind: 'compact',
  request: { revision, physical: false },
});
const putOp = (key: string, lease: bigint): RequestOp => ({
  request: { $case: 'requestPut', value: putCommand(key, lease).request },
});
const readOp = (revision: number): RequestOp => ({
  request: { $case: 'requestRange', value: range('k', { revision }) },
});
const txn = (...success: RequestOp[]): GhostCommand => {
  const request: TxnRequest = { compare: [], success, failure: [] };
  return { kind: 'txn', request };
};

type Log = readonly (readonly [GhostCommand, string?])[];

/** Plays commands with their verdicts; what is done is done to the model, too. */
const play = (log: Log): { model: EtcdModel; entries: (GhostEntry | undefined)[] } => {
  const model = new EtcdModel();
  const entries: (GhostEntry | undefined)[] = [undefined];
  for (const [command, verdict = 'ok'] of log) {
    const before = model.revision;
    if (verdict === 'ok') {
      if (command.kind === 'put') model.put(command.request);
      if (command.kind === 'txn') model.txn(command.request);
      if (command.kind === 'leaseRevoke') model.endLease(command.request.ID);
      if (command.kind === 'leaseRevokeExpired') command.ids.forEach((id) => model.endLease(id));
    }
    const { revision } = model;
    const base = { term: 1, decidedBy: 1, keysHash: 0, restHash: '', atUs: 0 };
    const wrote = revision > before;
    entries.push({ ...base, kind: command.kind, command, verdict, revision, wrote });
  }
  return { model, entries };
};
const found = (...log: Log): string[] => {
  const { model, entries } = play(log);
  return checkVerdicts(entries, model).map((each) => each.invariant);
};

describe('the verdicts of the log', () => {
  it('are accepted where they are by the book', () => {
    expect(
      found(
        [putCommand('k', 7n), 'LEASE_NOT_FOUND'],
        [putCommand('k', 0n, { ignoreValue: true }), 'KEY_NOT_FOUND'],
        [revoke(7n), 'LEASE_NOT_FOUND'],
        [grant(7n)],
        [grant(7n), 'LEASE_EXIST'],
        [putCommand('k', 7n)],
        [txn(putOp('l', 7n), readOp(2))],
        [txn(putOp('l', 8n)), 'LEASE_NOT_FOUND'],
        [txn(readOp(9)), 'FUTURE_REV'],
        [compact(9), 'FUTURE_REV'],
        [compact(3)],
        [compact(3), 'COMPACTED'],
        [txn(readOp(2)), 'COMPACTED'],
        [expire([7n], 3)],
        [expire([7n], 20)],
        [grant(7n)],
        [revoke(7n)],
        [grant(7n)],
        [putCommand('k'), 'PERMISSION_DENIED'],
      ),
    ).toEqual([]);
  });

  it('are seen through when a put names a lease that is not there (L6)', () => {
    expect(found([putCommand('k', 7n)])).toEqual(['L6']);
    expect(found([grant(7n)], [revoke(7n)], [txn(putOp('k', 7n))])).toEqual(['L6']);
    expect(found([grant(7n)], [expire([7n], 1)], [putCommand('k', 7n)])).toEqual(['L6']);
    expect(found([grant(7n)], [expire([7n], 0)], [putCommand('k', 7n)])).toEqual([]);
  });

  it('are seen through when they refuse without a reason (K3)', () => {
    const first = [putCommand('k')] as const;
    for (const wrong of [
      [putCommand('k', 0n, { ignoreValue: true }), 'KEY_NOT_FOUND'],
      [putCommand('k'), 'LEASE_NOT_FOUND'],
      [txn(putOp('k', 0n)), 'LEASE_NOT_FOUND'],
      [txn(readOp(2)), 'FUTURE_REV'],
      [txn(readOp(2)), 'COMPACTED'],
      [compact(2), 'FUTURE_REV'],
      [compact(1), 'COMPACTED'],
      [grant(7n), 'LEASE_EXIST'],
    ] as const) {
      expect(found(first, wrong)).toEqual(['K3']);
    }
    expect(found([grant(7n)], [revoke(7n), 'LEASE_NOT_FOUND'])).toEqual(['K3']);
  });

  it('are seen through when they grant or revoke what must be refused (K3)', () => {
    expect(found([grant(7n)], [grant(7n)])).toEqual(['K3']);
    expect(found([revoke(7n)])).toEqual(['K3']);
  });

  it('are seen through when a compaction goes back, or beyond the head of its moment (CP2)', () => {
    expect(found([putCommand('k')], [compact(3)], [putCommand('k')])).toEqual(['CP2']);
    expect(found([putCommand('k')], [compact(2)], [compact(2)])).toEqual(['CP2']);
  });
});

describe('what failed for certain', () => {
  const traces = (log: Log, asked: readonly (readonly [OperationRequest, string])[]): string[] => {
    const operations = asked.map(([request, code], at) =>
      operation(at, request, code === 'unknown' ? 'unknown' : { kind: 'failed', code }),
    );
    return checkTraces(play(log).entries, operations).map((each) => each.invariant);
  };
  const asked = {
    grant: { kind: 'leaseGrant', id: 7n, ttlSeconds: 5 },
    revoke: { kind: 'leaseRevoke', id: 7n },
    compact: { kind: 'compact', revision: 1, physical: false },
  } as const;

  it('left no trace in the log (K5)', () => {
    const log: Log = [[grant(7n)], [revoke(7n)], [compact(1)]];
    for (const request of Object.values(asked)) {
      expect(traces(log, [[request, 'UNAVAILABLE']])).toEqual(['K5']);
      expect(traces([], [[request, 'UNAVAILABLE']])).toEqual([]);
      // Another one, of whom nobody knows what became, may have done it.
      expect(
        traces(log, [
          [request, 'UNAVAILABLE'],
          [request, 'unknown'],
        ]),
      ).toEqual([]);
    }
  });

  it('is not blamed for what was refused in the log, or what nobody was seen to ask for', () => {
    expect(traces([[revoke(7n), 'LEASE_NOT_FOUND']], [[asked.revoke, 'LEASE_NOT_FOUND']])).toEqual(
      [],
    );
    expect(traces([[grant(7n)]], [])).toEqual([]);
  });
});
