/**
 * Lists that grow (K10): a second opinion on transactions that looks at no revision (after Elle, Kingsbury and Alvaro,
 * VLDB 2020).
 *
 * Each list tells the order of its writers itself. From it follow which transaction came before which: by writing after
 * it, by reading what it wrote, by not yet seeing what it wrote, and by real time. A cycle among them has no order that
 * explains it.
 */
import { fromUtf8, toLatin1 } from '@etcd-ts/base';
import type { KeyValue, RequestOp } from '@etcd-ts/mvcc';
import type { Operation } from '../history/operation.ts';
import { Graph } from './graph.ts';
import { Findings, type Violation } from './violation.ts';

/** Every list's key begins with it. */
export const LIST_PREFIX = 'list/';

/** The items of a list's value, the oldest first. */
export function itemsOf(value: Uint8Array): readonly string[] {
  const text = fromUtf8(value);
  return text === '' ? [] : text.split(' ');
}

/** What one transaction did with the lists. */
interface ListTxn {
  readonly operation: Operation;
  readonly reads: ReadonlyMap<string, readonly string[]>;
  readonly writes: ReadonlyMap<string, readonly string[]>;
}

/** Judges every transaction on lists. */
export function checkLists(operations: readonly Operation[]): readonly Violation[] {
  const findings = new Findings();
  const txns = operations.flatMap((operation) => listTxnOf(operation) ?? []);
  const isAnswered = ({ operation }: ListTxn): boolean => operation.outcome.kind === 'ok';
  const seen = new Set([...longestLists(txns, isAnswered).values()].flat());
  const hasHappened = (txn: ListTxn): boolean =>
    isAnswered(txn) || [...txn.writes.values()].some((list) => seen.has(last(list)));
  const happened = txns.filter(hasHappened);
  // Of several lists that one of unknown outcome wrote, perhaps only one was looked at afterwards.
  const longest = longestLists(happened, hasHappened);
  for (const txn of happened) checkPrefixes(txn, longest, findings);
  if (findings.violations.length === 0) checkCycles(happened, longest, findings);
  return findings.violations;
}

function checkPrefixes(
  { operation, reads, writes }: ListTxn,
  longest: ReadonlyMap<string, readonly string[]>,
  findings: Findings,
): void {
  for (const [key, list] of [...reads, ...writes]) {
    const order = longest.get(key) ?? [];
    const at = list.findIndex((item, i) => order[i] !== item);
    if (at < 0) continue;
    findings.add(
      'K10',
      `operation #${operation.id} saw item ${at} of ${key} as ${list[at]}, others as ${order[at]}`,
      [operation.id],
      operation.returnedUs,
    );
  }
}

function checkCycles(
  txns: readonly ListTxn[],
  longest: ReadonlyMap<string, readonly string[]>,
  findings: Findings,
): void {
  const graph = new Graph(txns.length);
  const writers = new Map<string, number>();
  txns.forEach(({ writes }, node) => {
    for (const [key, list] of writes) writers.set(`${key} ${last(list)}`, node);
  });
  const writerOf = (key: string, at: number): number | undefined =>
    writers.get(`${key} ${longest.get(key)?.[at]}`);
  for (const [key, list] of longest) {
    for (let at = 1; at < list.length; at++)
      graph.connect(writerOf(key, at - 1), writerOf(key, at));
  }
  txns.forEach(({ reads }, node) => {
    for (const [key, list] of reads) {
      graph.connect(writerOf(key, list.length - 1), node);
      graph.connect(node, writerOf(key, list.length));
    }
  });
  graph.connectByTime(
    txns.map(({ operation }) => ({ from: operation.invokedAt, to: operation.returnedAt })),
  );
  const cycle = graph.findCycle();
  if (cycle === undefined) return;
  const ids = cycle.map((node) => txns[node]?.operation.id ?? -1);
  findings.add('K10', `no order explains the transactions ${ids.join(', ')} on lists`, ids);
}

/** Each list at its longest: as somebody read it, or as one that certainly happened wrote it. */
function longestLists(
  txns: readonly ListTxn[],
  hasHappened: (txn: ListTxn) => boolean,
): Map<string, readonly string[]> {
  const longest = new Map<string, readonly string[]>();
  for (const txn of txns) {
    const { reads, writes } = txn;
    const written = hasHappened(txn) ? [...writes] : [];
    for (const [key, list] of [...reads, ...written]) {
      if (list.length > (longest.get(key)?.length ?? 0)) longest.set(key, list);
    }
  }
  return longest;
}

/** What a transaction did with lists; undefined when it did nothing, or nothing that anybody knows of. */
function listTxnOf(operation: Operation): ListTxn | undefined {
  const { request, outcome } = operation;
  if (request.kind !== 'txn' || outcome.kind === 'failed') return undefined;
  const reads = new Map<string, readonly string[]>();
  const writes = new Map<string, readonly string[]>();
  if (outcome.kind === 'unknown') addWrites(request.request.success, writes);
  else if (outcome.response.kind === 'txn') {
    const { succeeded, responses } = outcome.response.result;
    const ops = succeeded ? request.request.success : request.request.failure;
    addWrites(ops, writes);
    responses.forEach((response, i) => {
      const op = ops[i]?.request;
      if (response.$case !== 'responseRange' || op?.$case !== 'requestRange') return;
      const key = toLatin1(op.value.key);
      if (key.startsWith(LIST_PREFIX)) reads.set(key, valueOf(response.value.kvs));
    });
    // What it compared it has seen: its own list but the last item.
    if (succeeded) for (const [key, list] of writes) reads.set(key, list.slice(0, -1));
  }
  return reads.size + writes.size === 0 ? undefined : { operation, reads, writes };
}

function addWrites(ops: readonly RequestOp[], writes: Map<string, readonly string[]>): void {
  for (const { request } of ops) {
    if (request?.$case !== 'requestPut') continue;
    const key = toLatin1(request.value.key);
    if (key.startsWith(LIST_PREFIX)) writes.set(key, itemsOf(request.value.value));
  }
}

function valueOf([kv]: readonly KeyValue[]): readonly string[] {
  return kv === undefined ? [] : itemsOf(kv.value);
}

function last(list: readonly string[]): string {
  return list.at(-1) ?? '';
}
