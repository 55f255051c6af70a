/**
 * What hangs on a lease (L6): the keys that were last put with it, whatever restarts and snapshots lie between. Told by
 * the end of a lease, which takes exactly those, and by whoever asks for its keys.
 */
import { toLatin1 } from '@etcd-ts/base';
import type { Operation } from '../history/operation.ts';
import type { EtcdModel } from '../model/etcd-model.ts';
import type { LeaseEnding } from './lease.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/**
 * Judges ends of leases and answers about their keys, by the replayed history.
 *
 * @param revisionAt The newest revision that there was at a time: the leader tells the keys, and the header is of the
 *   member that was asked, so that an answer stands somewhere between its call and its return.
 */
export function checkAttachments(
  operations: readonly Operation[],
  endings: readonly LeaseEnding[],
  model: EtcdModel,
  revisionAt: (atUs: number) => number,
): readonly Violation[] {
  const findings = new Findings();
  for (const { leaseId, revision, keys, atUs } of endings) {
    // One with keys makes a revision of its own; one without leaves the one that it found.
    const expected = keysOn(leaseId, keys.length > 0 ? revision - 1 : revision, model);
    if (isSame(keys, expected)) continue;
    findings.add(
      'L6',
      `lease ${leaseId} ended with ${list(keys)}, but ${list(expected)} had been put with it`,
      [],
      atUs,
    );
  }
  for (const operation of operations) {
    const { outcome } = operation;
    if (outcome.kind !== 'ok' || outcome.response.kind !== 'leaseTimeToLive') continue;
    const { request, invokedUs, returnedUs, id } = operation;
    const { keys, ttlSeconds } = outcome.response;
    if (request.kind !== 'leaseTimeToLive' || ttlSeconds < 0) continue;
    const told = keys.map((key) => toLatin1(key)).sort();
    const [from, to] = [revisionAt(invokedUs - 1), revisionAt(returnedUs)];
    let isExplained = false;
    for (let at = from; at <= to && !isExplained; at++) {
      isExplained = isSame(told, keysOn(request.id, at, model));
    }
    if (isExplained) continue;
    const expected = keysOn(request.id, to, model);
    findings.add(
      'L6',
      `${nameOf(operation)} was told ${list(told)} of lease ${request.id} between revisions ${from} and ${to}; at the latter ${list(expected)} had been put with it`,
      [id],
      returnedUs,
    );
  }
  return findings.violations;
}

function keysOn(lease: bigint, revision: number, model: EtcdModel): readonly string[] {
  const { space } = model;
  return space
    .keysAt('', undefined, revision)
    .filter((key) => space.at(key, revision)?.lease === lease);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}

function list(keys: readonly string[]): string {
  return keys.length === 0 ? 'no key' : keys.join(', ');
}
