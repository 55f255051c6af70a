/**
 * Compaction as clients see it (CP1, CP2): once told that revisions are gone, nobody reads them; until somebody asked
 * for it, nobody is told so; the compaction only goes forward.
 */
import type { RequestOp } from '@etcd-ts/mvcc';
import type { Operation } from '../history/operation.ts';
import { isSerializable } from './placement.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** Judges compactions and reads of the past. `headRevision`: the last revision that there was. */
export function checkCompaction(
  operations: readonly Operation[],
  headRevision: number,
): readonly Violation[] {
  const findings = new Findings();
  const compactions = operations.filter(
    (each) => each.request.kind === 'compact' && each.outcome.kind !== 'failed',
  );
  checkForward(compactions, headRevision, findings);
  checkReads(operations, compactions, findings);
  return findings.violations;
}

function checkForward(
  compactions: readonly Operation[],
  headRevision: number,
  findings: Findings,
): void {
  const done = new DoneCompactions(compactions);
  for (const compaction of compactions) {
    if (compaction.outcome.kind !== 'ok') continue;
    const revision = compactedTo(compaction);
    if (revision > headRevision) {
      findings.add(
        'CP2',
        `${nameOf(compaction)} compacted to ${revision}, beyond the head ${headRevision}`,
        [compaction.id],
      );
    }
    const before = done.before(compaction.invokedAt);
    if (before !== undefined && compactedTo(before) >= revision) {
      findings.add(
        'CP2',
        `${nameOf(compaction)} compacted to ${revision} after ${nameOf(before)} had compacted to ` +
          `${compactedTo(before)}`,
        [before.id, compaction.id],
      );
    }
  }
}

function checkReads(
  operations: readonly Operation[],
  compactions: readonly Operation[],
  findings: Findings,
): void {
  const done = new DoneCompactions(compactions);
  for (const operation of operations) {
    const oldest = oldestRevisionRead(operation);
    if (oldest === undefined) continue;
    if (operation.outcome.kind === 'ok' && !isSerializable(operation)) {
      const before = done.before(operation.invokedAt);
      if (before !== undefined && oldest < compactedTo(before)) {
        findings.add(
          'CP1',
          `${nameOf(operation)} read revision ${oldest} after ${nameOf(before)} had compacted to ` +
            `${compactedTo(before)}`,
          [before.id, operation.id],
          operation.returnedUs,
        );
      }
    }
    if (operation.outcome.kind === 'failed' && operation.outcome.code === 'COMPACTED') {
      const isExplained = compactions.some(
        (each) => compactedTo(each) > oldest && each.invokedAt < operation.returnedAt,
      );
      if (!isExplained) {
        findings.add(
          'CP1',
          `${nameOf(operation)} of revision ${oldest} failed as compacted, but nothing beyond ` +
            `${oldest} was ever compacted`,
          [operation.id],
          operation.returnedUs,
        );
      }
    }
  }
}

/** The furthest compaction that had certainly happened at a position; asked with ascending positions. */
class DoneCompactions {
  readonly #byReturn: readonly Operation[];
  #next = 0;
  #furthest: Operation | undefined;

  constructor(compactions: readonly Operation[]) {
    this.#byReturn = compactions
      .filter((each) => each.outcome.kind === 'ok')
      .sort((a, b) => a.returnedAt - b.returnedAt);
  }

  before(position: number): Operation | undefined {
    for (; this.#next < this.#byReturn.length; this.#next++) {
      const each = this.#byReturn[this.#next] as Operation;
      if (each.returnedAt >= position) break;
      if (this.#furthest === undefined || compactedTo(each) > compactedTo(this.#furthest)) {
        this.#furthest = each;
      }
    }
    return this.#furthest;
  }
}

function compactedTo(compaction: Operation): number {
  return compaction.request.kind === 'compact' ? compaction.request.revision : 0;
}

/** The oldest revision that the operation names for reading; undefined when it names none. */
function oldestRevisionRead(operation: Operation): number | undefined {
  const { request, outcome } = operation;
  if (request.kind === 'range') {
    return request.request.revision > 0 ? request.request.revision : undefined;
  }
  if (request.kind !== 'txn') return undefined;
  if (outcome.kind === 'ok' && outcome.response.kind === 'txn') {
    const { succeeded } = outcome.response.result;
    return oldestOf(succeeded ? request.request.success : request.request.failure);
  }
  return oldestOf([...request.request.success, ...request.request.failure]);
}

function oldestOf(ops: readonly RequestOp[]): number | undefined {
  let oldest: number | undefined;
  for (const op of ops) {
    if (op.request?.$case !== 'requestRange') continue;
    const { revision } = op.request.value;
    if (revision > 0 && (oldest === undefined || revision < oldest)) oldest = revision;
  }
  return oldest;
}
