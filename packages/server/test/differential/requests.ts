/**
 * Draws requests over a small key space that has every awkward key in it: empty, `\0`, `\xff`, prefixes of one another,
 * ranges that are empty, backwards, open.
 *
 * Left out, since real etcd's answer is a crash or an accident: an unknown sort target, a hash at or below a revision
 * that was compacted. `docs/differences.md` says what ours answers.
 */
import { prefixEnd, utf8 } from '@etcd-ts/base';
import type { TxnRequest } from '@etcd-ts/protocol';
import {
  AlarmRequest,
  Compare,
  CompactionRequest,
  DeleteRangeRequest,
  HashKVRequest,
  LeaseGrantRequest,
  LeaseLeasesRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  PutRequest,
  RangeRequest,
  type RequestOf,
  RequestOp,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import { drawRecipe } from './recipe-requests.ts';

/** What the generator knows of the stores it drives. */
export interface Progress {
  /** Last revision that was answered. */
  revision: number;
  /** Last revision that was compacted at; 0 before. */
  compactRevision: number;
  isCompacted: boolean;
  /** Revisions under which leases campaigned. */
  readonly campaigns: Map<bigint, number>;
  /** An alarm may be raised. */
  isAlarmed: boolean;
}

/** One unary request. */
export type UnaryStep = {
  readonly [Method in UnaryMethodName]: {
    readonly method: Method;
    readonly request: RequestOf<Method>;
  };
}[UnaryMethodName];

const KEYS: readonly Uint8Array[] = [
  new Uint8Array([0]),
  new Uint8Array([0, 0]),
  utf8('a'),
  new Uint8Array([0x61, 0]),
  utf8('aa'),
  utf8('ab'),
  utf8('b'),
  utf8('p/'),
  utf8('p/1'),
  utf8('p/2'),
  utf8('p0'),
  new Uint8Array([0xff]),
  new Uint8Array([0xff, 0x61]),
  new Uint8Array([0xff, 0xff]),
];
const EMPTY = new Uint8Array(0);
const NUL = new Uint8Array([0]);
const VALUES: readonly Uint8Array[] = [
  EMPTY,
  NUL,
  utf8('1'),
  utf8('2'),
  utf8('10'),
  new Uint8Array([0xff, 0xfe]),
  new Uint8Array(300).fill(0x78),
];
/** Ids that a client chooses; negative ones are legal. */
export const LEASES: readonly bigint[] = [1n, 2n, 3n, 4n, -5n, 9_223_372_036_854_775_807n];
const TTLS: readonly number[] = [-5, 0, 1_000, 5_000, 9_000_000_000, 9_000_000_001];

function key(draw: Draw): Uint8Array {
  return draw.oneIn(40) ? EMPTY : draw.pick(KEYS);
}

function rangeEnd(draw: Draw): Uint8Array {
  return draw.weighted([
    [5, () => EMPTY],
    [2, () => NUL],
    [3, () => draw.pick(KEYS)],
    [2, () => prefixEnd(draw.pick(KEYS))],
  ] as const)();
}

function revision(draw: Draw, progress: Progress): number {
  return draw.weighted([
    [10, () => 0],
    [1, () => -1],
    [3, () => Math.max(1, progress.revision - draw.below(12))],
    [1, () => progress.compactRevision],
    [1, () => Math.max(0, progress.compactRevision - 1)],
    [1, () => progress.revision + 1],
    [1, () => progress.revision],
  ] as const)();
}

function bound(draw: Draw, progress: Progress): number {
  return draw.oneIn(6) ? Math.max(1, progress.revision - draw.below(15)) : 0;
}

export function drawRange(draw: Draw, progress: Progress): RangeRequest {
  return RangeRequest.fromPartial({
    key: key(draw),
    rangeEnd: rangeEnd(draw),
    revision: revision(draw, progress),
    limit: draw.weighted([
      [6, 0],
      [1, -1],
      [2, 1],
      [2, 3],
      [1, 2_147_483_648],
    ] as const),
    sortOrder: draw.weighted([
      [3, 0],
      [1, 1],
      [1, 2],
    ] as const),
    sortTarget: draw.weighted([
      [4, 0],
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
    ] as const),
    serializable: draw.oneIn(3),
    keysOnly: draw.oneIn(5),
    countOnly: draw.oneIn(6),
    minModRevision: bound(draw, progress),
    maxModRevision: bound(draw, progress),
    minCreateRevision: bound(draw, progress),
    maxCreateRevision: bound(draw, progress),
  });
}

export function drawPut(draw: Draw): PutRequest {
  const ignoreValue = draw.oneIn(8);
  const ignoreLease = draw.oneIn(8);
  return PutRequest.fromPartial({
    key: key(draw),
    value: ignoreValue && !draw.oneIn(5) ? EMPTY : draw.pick(VALUES),
    lease: draw.oneIn(4) && !(ignoreLease && !draw.oneIn(5)) ? draw.pick(LEASES) : 0n,
    prevKv: draw.oneIn(3),
    ignoreValue,
    ignoreLease,
  });
}

export function drawDeleteRange(draw: Draw): DeleteRangeRequest {
  return DeleteRangeRequest.fromPartial({
    key: key(draw),
    rangeEnd: draw.oneIn(3) ? rangeEnd(draw) : EMPTY,
    prevKv: draw.oneIn(2),
  });
}

function drawCompare(draw: Draw, progress: Progress): Compare {
  const near = (): number =>
    draw.pick([0, 1, -1, progress.revision, Math.max(0, progress.revision - draw.below(8))]);
  const target = draw.oneIn(60) ? 9 : draw.below(5);
  const union = draw.oneIn(12) ? draw.below(5) : target;
  return Compare.fromPartial({
    result: draw.oneIn(60) ? 9 : draw.below(4),
    target,
    key: key(draw),
    rangeEnd: draw.oneIn(5) ? rangeEnd(draw) : EMPTY,
    targetUnion: draw.oneIn(20)
      ? undefined
      : (
          [
            { $case: 'version', value: draw.below(4) },
            { $case: 'createRevision', value: near() },
            { $case: 'modRevision', value: near() },
            { $case: 'value', value: draw.pick(VALUES) },
            { $case: 'lease', value: draw.pick([0n, ...LEASES]) },
          ] as const
        )[union],
  });
}

function drawOp(draw: Draw, progress: Progress, depth: number): RequestOp {
  if (draw.oneIn(80)) return RequestOp.fromPartial({});
  const kind = draw.weighted([
    [4, 'range'],
    [5, 'put'],
    [2, 'delete'],
    [depth > 0 ? 2 : 0, 'txn'],
  ] as const);
  switch (kind) {
    case 'range':
      return { request: { $case: 'requestRange', value: drawRange(draw, progress) } };
    case 'put':
      return { request: { $case: 'requestPut', value: drawPut(draw) } };
    case 'delete':
      return { request: { $case: 'requestDeleteRange', value: drawDeleteRange(draw) } };
    case 'txn':
      return { request: { $case: 'requestTxn', value: drawTxn(draw, progress, depth - 1) } };
  }
}

export function drawTxn(draw: Draw, progress: Progress, depth = 2): TxnRequest {
  const many = <T>(most: number, one: () => T): T[] =>
    Array.from({ length: draw.below(most) }, one);
  if (draw.oneIn(50)) return tooManyOps(draw, depth);
  const isReadOnly = draw.oneIn(5);
  const op = (): RequestOp =>
    isReadOnly
      ? { request: { $case: 'requestRange', value: drawRange(draw, progress) } }
      : drawOp(draw, progress, depth);
  return {
    compare: many(3, () => drawCompare(draw, progress)),
    success: many(4, op),
    failure: many(4, op),
  };
}

/**
 * Without puts that go by what the key has now when the transaction also deletes: real etcd checks such a put on the
 * state before the transaction and crashes when the key is gone by the time of the put.
 */
function defused(txn: TxnRequest): TxnRequest {
  if (!operations(txn).some(({ request }) => request?.$case === 'requestDeleteRange')) return txn;
  for (const { request } of operations(txn)) {
    if (request?.$case !== 'requestPut') continue;
    request.value.ignoreValue = false;
    request.value.ignoreLease = false;
  }
  return txn;
}

/** Every operation of a transaction, nested ones included. */
function operations({ success, failure }: TxnRequest): readonly RequestOp[] {
  return [...success, ...failure].flatMap((op) =>
    op.request?.$case === 'requestTxn' ? operations(op.request.value) : [op],
  );
}

/** Around the limit of 128 operations, at the top or one level down. */
function tooManyOps(draw: Draw, depth: number): TxnRequest {
  const puts = (count: number): RequestOp[] =>
    Array.from({ length: count }, (_, i) => ({
      request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: utf8(`k${i}`) }) },
    }));
  const inner: TxnRequest = { compare: [], success: puts(126 + draw.below(4)), failure: [] };
  if (depth === 0 || draw.oneIn(2)) return inner;
  const nested: RequestOp = { request: { $case: 'requestTxn', value: inner } };
  return { compare: [], success: [], failure: [nested, ...puts(draw.below(2))] };
}

/** Draws one unary request. */
export function drawUnary(draw: Draw, progress: Progress): UnaryStep {
  return draw.weighted<() => UnaryStep>([
    [30, () => ({ method: 'etcdserverpb.KV/Put', request: drawPut(draw) })],
    [28, () => ({ method: 'etcdserverpb.KV/Range', request: drawRange(draw, progress) })],
    [8, () => ({ method: 'etcdserverpb.KV/DeleteRange', request: drawDeleteRange(draw) })],
    // While NOSPACE is raised, real etcd 3.5 overlooks puts in nested transactions.
    [
      22,
      () => ({
        method: 'etcdserverpb.KV/Txn',
        request: defused(drawTxn(draw, progress, progress.isAlarmed ? 0 : 2)),
      }),
    ],
    [2, () => drawCompaction(draw, progress)],
    [3, () => drawHashKv(draw, progress)],
    [8, () => drawLease(draw)],
    [2, () => drawAlarm(draw, progress)],
    [5, () => drawRecipe(draw, progress)],
  ])();
}

function drawCompaction(draw: Draw, progress: Progress): UnaryStep {
  return {
    method: 'etcdserverpb.KV/Compact',
    request: CompactionRequest.fromPartial({
      revision: revision(draw, progress),
      physical: draw.oneIn(2),
    }),
  };
}

function drawHashKv(draw: Draw, progress: Progress): UnaryStep {
  const asked = revision(draw, progress);
  // At or below a compaction real etcd answers with the hash that it took while compacting, whatever was asked.
  const { isCompacted, compactRevision } = progress;
  const fits = asked > compactRevision || !isCompacted;
  return {
    method: 'etcdserverpb.Maintenance/HashKV',
    request: HashKVRequest.fromPartial({ revision: fits ? asked : progress.revision + 1 }),
  };
}

function drawLease(draw: Draw): UnaryStep {
  const ID = draw.pick(LEASES);
  return draw.weighted<() => UnaryStep>([
    [
      4,
      () => ({
        method: 'etcdserverpb.Lease/LeaseGrant',
        request: LeaseGrantRequest.fromPartial({ ID, TTL: longTtl(draw) }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Lease/LeaseGrant',
        request: LeaseGrantRequest.fromPartial({ ID: 0n, TTL: 100_000 }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Lease/LeaseRevoke',
        request: LeaseRevokeRequest.fromPartial({ ID }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Lease/LeaseTimeToLive',
        request: LeaseTimeToLiveRequest.fromPartial({ ID, keys: draw.oneIn(2) }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Lease/LeaseLeases',
        request: LeaseLeasesRequest.fromPartial({}),
      }),
    ],
  ])();
}

/** No lease may end by itself while requests are compared. */
function longTtl(draw: Draw): number {
  const ttl = draw.pick(TTLS);
  return ttl <= 0 ? 1_000 : ttl;
}

function drawAlarm(draw: Draw, progress: Progress): UnaryStep {
  // One alarm at a time: of two, real etcd 3.5 answers for the one that was raised last.
  const action = draw.weighted([
    [3, 0],
    [progress.isAlarmed ? 0 : 1, 1],
    [4, 2],
  ] as const);
  if (action === 1) progress.isAlarmed = true;
  return {
    method: 'etcdserverpb.Maintenance/Alarm',
    request: AlarmRequest.fromPartial({
      action,
      memberID: draw.pick([0n, 7n]),
      alarm: draw.below(3),
    }),
  };
}
