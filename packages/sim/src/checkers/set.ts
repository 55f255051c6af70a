/** The set (K9): an element that was made is in every later read, once, and nothing else is. */
import { toLatin1 } from '@etcd-ts/base';
import type { TxnRequest } from '@etcd-ts/mvcc';
import type { Operation } from '../history/operation.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** Every element's key begins with it. */
export const SET_PREFIX = 'set/';
/** The end of all elements. */
export const SET_PREFIX_END = 'set0';

interface Element {
  /** When anybody first asked for it. */
  askedAt: number;
  /** When somebody was first told that it is there. */
  toldAt: number;
}

/** Judges every read of all elements. */
export function checkSet(operations: readonly Operation[]): readonly Violation[] {
  const findings = new Findings();
  const elements = new Map<string, Element>();
  for (const operation of operations) {
    if (operation.request.kind !== 'txn') continue;
    const key = elementOf(operation.request.request);
    if (key === undefined) continue;
    const element = elements.get(key) ?? { askedAt: operation.invokedAt, toldAt: Infinity };
    elements.set(key, element);
    // Made now, or found to be there: either way it is.
    if (operation.outcome.kind === 'ok') {
      element.toldAt = Math.min(element.toldAt, operation.returnedAt);
    }
  }
  for (const operation of operations) checkRead(operation, elements, findings);
  return findings.violations;
}

function checkRead(
  operation: Operation,
  elements: ReadonlyMap<string, Element>,
  findings: Findings,
): void {
  const { request, outcome } = operation;
  if (request.kind !== 'range' || toLatin1(request.request.key) !== SET_PREFIX) return;
  if (outcome.kind !== 'ok' || outcome.response.kind !== 'range') return;
  const add = (what: string): void =>
    findings.add('K9', `${nameOf(operation)} ${what}`, [operation.id], operation.returnedUs);
  const seen = new Set<string>();
  for (const { key, version } of outcome.response.result.kvs) {
    const name = toLatin1(key);
    seen.add(name);
    const element = elements.get(name);
    if (element === undefined || element.askedAt > operation.returnedAt) {
      add(`saw ${name}, which nobody had asked for`);
    }
    if (version !== 1) add(`saw ${name} written ${version} times`);
  }
  for (const [name, { toldAt }] of elements) {
    if (toldAt < operation.invokedAt && !seen.has(name)) {
      add(`did not see ${name}, which was there before`);
    }
  }
}

/** The element that a transaction makes, when that is what it does. */
function elementOf(request: TxnRequest): string | undefined {
  const [op] = request.success;
  if (op?.request?.$case !== 'requestPut') return undefined;
  const key = toLatin1(op.request.value.key);
  return key.startsWith(SET_PREFIX) ? key : undefined;
}
