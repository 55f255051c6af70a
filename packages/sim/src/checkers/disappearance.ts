/**
 * Nothing that anybody ever saw is gone (K7): what a client read, was told to have written or heard of as an event is
 * there at the end, or something newer is, or something that could have deleted it happened.
 *
 * Knows no model: it compares the last look at everything with what was seen before, so that it also sees a past that
 * vanished as a whole, with everybody who could contradict.
 */
import { toLatin1 } from '@etcd-ts/base';
import { EVENT_DELETE, type KeyValue, type RequestOp } from '@etcd-ts/mvcc';
import { CLOSING_CLIENT, EVERYTHING } from '../history/closing.ts';
import { type Operation, responseRevision } from '../history/operation.ts';
import type { WatchRecord } from '../history/watch-record.ts';
import { rangeLimits } from '../model/key-space.ts';
import type { LeaseEnding } from './lease.ts';
import { nameOf, witnessName } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** What was seen. */
export interface SeenEvidence {
  readonly operations: readonly Operation[];
  readonly watches: readonly WatchRecord[];
  readonly endings: readonly LeaseEnding[];
}

/** The newest that was seen of a key. */
interface Seen {
  readonly modRevision: number;
  readonly isDeleted: boolean;
  readonly lease: bigint;
  readonly by: Witness;
}

/** Who saw it: an operation, or a watch. */
type Witness = Operation | WatchRecord;

/** Judges the last look at everything; says nothing when there was none. */
export function checkDisappearance(evidence: SeenEvidence): readonly Violation[] {
  const findings = new Findings();
  const last = lastLook(evidence.operations);
  if (last?.outcome.kind !== 'ok' || last.outcome.response.kind !== 'range') return [];
  const { kvs, revision } = last.outcome.response.result;
  const present = new Map(kvs.map((kv) => [toLatin1(kv.key), kv.modRevision]));
  for (const operation of evidence.operations) {
    if (operation.outcome.kind !== 'ok' || operation.returnedAt >= last.invokedAt) continue;
    const shown = responseRevision(operation.outcome.response);
    if (shown <= revision) continue;
    findings.add(
      'K7',
      `${nameOf(operation)} showed revision ${shown}, at the end there are ${revision}`,
      [operation.id],
    );
  }
  const deletions = new Deletions(evidence);
  for (const [key, seen] of seenBefore(evidence, last)) {
    const modRevision = present.get(key);
    if (modRevision !== undefined) {
      if (modRevision >= seen.modRevision) continue;
    } else if (seen.isDeleted || deletions.mayHaveDeleted(key, seen)) continue;
    const now = modRevision === undefined ? 'it is not there' : `there is that of ${modRevision}`;
    findings.add(
      'K7',
      `${witnessName(seen.by)} saw ${key} of revision ${seen.modRevision}; at the end ${now}, and nobody deleted it`,
      [last.id],
    );
  }
  return findings.violations;
}

/** The newest answer to whoever looked at everything when all was well. */
function lastLook(operations: readonly Operation[]): Operation | undefined {
  let last: Operation | undefined;
  for (const operation of operations) {
    const { client, request, outcome } = operation;
    if (client !== CLOSING_CLIENT || request.kind !== 'range' || outcome.kind !== 'ok') continue;
    if (request.request.rangeEnd.length !== 1 || toLatin1(request.request.key) !== EVERYTHING)
      continue;
    if (last === undefined || operation.invokedAt > last.invokedAt) last = operation;
  }
  return last;
}

function seenBefore({ operations, watches }: SeenEvidence, last: Operation): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const note = (key: string, found: Seen): void => {
    if ((seen.get(key)?.modRevision ?? 0) < found.modRevision) seen.set(key, found);
  };
  const noteKv = ({ key, modRevision, lease }: KeyValue, by: Witness): void =>
    note(toLatin1(key), { modRevision, isDeleted: false, lease, by });
  for (const operation of operations) {
    const { request, outcome } = operation;
    if (outcome.kind !== 'ok' || operation.returnedAt >= last.invokedAt) continue;
    const { response } = outcome;
    if (response.kind === 'range') for (const kv of response.result.kvs) noteKv(kv, operation);
    if (response.kind === 'put' && request.kind === 'put') {
      const { key, lease } = request.request;
      const { revision: modRevision } = response.result;
      note(toLatin1(key), { modRevision, isDeleted: false, lease, by: operation });
    }
    if (response.kind !== 'txn') continue;
    for (const each of response.result.responses) {
      if (each.$case === 'responseRange') for (const kv of each.value.kvs) noteKv(kv, operation);
    }
  }
  for (const watch of watches) {
    for (const { at, events } of watch.responses) {
      if (at >= last.invokedAt) break;
      for (const { type, kv } of events) {
        if (type !== EVENT_DELETE) noteKv(kv, watch);
        else
          note(toLatin1(kv.key), {
            modRevision: kv.modRevision,
            isDeleted: true,
            lease: 0n,
            by: watch,
          });
      }
    }
  }
  return seen;
}

/** A deletion of unknown fate may have come at any time. */
const ANY_REVISION = Infinity;

/** Everything that may have deleted something. */
class Deletions {
  /** Ranges asked to be deleted, and the newest revision at which that may have happened. */
  readonly #ranges: {
    readonly from: string;
    readonly to: string | undefined;
    readonly revision: number;
  }[] = [];
  /** The revisions at which leases ended. */
  readonly #leases = new Map<bigint, number>();
  /** Writes that hung a key on a lease, seen by nobody since: the key may have gone with it. */
  readonly #attached: {
    readonly key: string;
    readonly lease: bigint;
    readonly revision: number;
  }[] = [];

  constructor({ operations, endings }: SeenEvidence) {
    for (const { request, outcome } of operations) {
      if (outcome.kind === 'failed') continue;
      const revision = outcome.kind === 'ok' ? responseRevision(outcome.response) : ANY_REVISION;
      if (request.kind === 'deleteRange') this.#add(request.request, revision);
      if (request.kind === 'put') this.#attach(request.request, revision);
      if (request.kind === 'txn') {
        this.#addAll(request.request.success, revision);
        this.#addAll(request.request.failure, revision);
      }
    }
    for (const { leaseId, revision } of endings) this.#leases.set(leaseId, revision);
  }

  mayHaveDeleted(key: string, { modRevision, lease }: Seen): boolean {
    if (this.#endedAfter(lease, modRevision)) return true;
    const isInRange = this.#ranges.some(
      ({ from, to, revision }) =>
        revision > modRevision && key >= from && (to === undefined || key < to),
    );
    if (isInRange) return true;
    return this.#attached.some(
      (put) =>
        put.key === key && put.revision > modRevision && this.#endedAfter(put.lease, modRevision),
    );
  }

  #endedAfter(lease: bigint, revision: number): boolean {
    return (this.#leases.get(lease) ?? 0) > revision;
  }

  #addAll(ops: readonly RequestOp[], revision: number): void {
    for (const { request } of ops) {
      if (request?.$case === 'requestDeleteRange') this.#add(request.value, revision);
      if (request?.$case === 'requestPut') this.#attach(request.value, revision);
      if (request?.$case === 'requestTxn') {
        this.#addAll(request.value.success, revision);
        this.#addAll(request.value.failure, revision);
      }
    }
  }

  #add(range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }, revision: number): void {
    const from = toLatin1(range.key);
    this.#ranges.push({ from, to: rangeLimits(from, toLatin1(range.rangeEnd)), revision });
  }

  #attach(put: { readonly key: Uint8Array; readonly lease: bigint }, revision: number): void {
    if (put.lease !== 0n)
      this.#attached.push({ key: toLatin1(put.key), lease: put.lease, revision });
  }
}
