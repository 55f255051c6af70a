/** The bank (K8): whoever looks at all accounts at once sees the money that there was at the beginning. */
import { fromUtf8, toLatin1 } from '@etcd-ts/base';
import type { Operation } from '../history/operation.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** Every account's key begins with it. */
export const ACCOUNT_PREFIX = 'bank/';
/** The end of all accounts. */
export const ACCOUNT_PREFIX_END = 'bank0';
/** How many accounts there are. */
export const ACCOUNTS = 4;
/** What is in an account that was never written. */
export const START_AMOUNT = 100;

/** The amount in an account's value. */
export function amountOf(value: Uint8Array): number {
  return Number(fromUtf8(value).split(' ')[0]);
}

/** Judges every look at all accounts. */
export function checkBank(operations: readonly Operation[]): readonly Violation[] {
  const findings = new Findings();
  for (const operation of operations) {
    const { request, outcome } = operation;
    if (request.kind !== 'range' || outcome.kind !== 'ok') continue;
    const { key, rangeEnd } = request.request;
    if (toLatin1(key) !== ACCOUNT_PREFIX || toLatin1(rangeEnd) !== ACCOUNT_PREFIX_END) continue;
    if (outcome.response.kind !== 'range') continue;
    const { kvs } = outcome.response.result;
    const amounts = kvs.map(({ value }) => amountOf(value));
    const written = amounts.reduce((sum, amount) => sum + amount, 0);
    const total = written + (ACCOUNTS - kvs.length) * START_AMOUNT;
    if (total === ACCOUNTS * START_AMOUNT && amounts.every((amount) => amount >= 0)) continue;
    findings.add(
      'K8',
      `${nameOf(operation)} saw ${total} in all accounts (${amounts.join(', ')}), there are ${ACCOUNTS * START_AMOUNT}`,
      [operation.id],
      operation.returnedUs,
    );
  }
  return findings.violations;
}
