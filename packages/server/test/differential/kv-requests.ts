/**
 * Draws requests to the KV service over a small key space that has every awkward key in it: empty, `\0`, `\xff`,
 * prefixes of one another, ranges that are empty, backwards, open.
 *
 * Left out, since real etcd's answer is a crash or an accident: an unknown sort target, puts that go by what a key has
 * which the same transaction deletes. `docs/differences.md` says what ours answers.
 */
import { prefixEnd, utf8 } from '@etcd-ts/base';
import {
  Compare,
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  type TxnRequest,
} from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import { LEASES } from './lease-requests.ts';
import type { Progress, UnaryStep } from './step.ts';

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

/** A revision to read or to compact at. */
export function revision(draw: Draw, progress: Progress): number {
  return draw.weighted([
    [10, () => 0],
    [1, () => -1],
    [3, () => Math.max(1, progress.revision - draw.below(12))],
    [1, () => progress.compactRevision],
    [1, () => Math.max(0, progress.compactRevision - 1)],
    [1, () => progress.revision + 1],
    [1, () => progress.revision],
    [1, () => draw.pick([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])],
  ] as const)();
}

function bound(draw: Draw, progress: Progress): number {
  if (!draw.oneIn(6)) return 0;
  return draw.oneIn(12)
    ? draw.pick([-1, progress.revision + 2, Number.MAX_SAFE_INTEGER])
    : Math.max(1, progress.revision - draw.below(15));
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
      [1, Number.MAX_SAFE_INTEGER],
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
export function defused(txn: TxnRequest): TxnRequest {
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

/** Draws a compaction: of the past, of now, of the future, twice. */
export function drawCompaction(draw: Draw, progress: Progress): UnaryStep {
  return {
    method: 'etcdserverpb.KV/Compact',
    request: CompactionRequest.fromPartial({
      revision: revision(draw, progress),
      physical: draw.oneIn(2),
    }),
  };
}
