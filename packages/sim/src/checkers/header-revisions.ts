/** K2: what one connection shows of the revision never goes back. */
import { type Operation, responseRevision } from '../history/operation.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** Judges header revisions of one connection at a time: an answer is at least at what had returned before it was asked. */
export function checkHeaderRevisions(operations: readonly Operation[]): readonly Violation[] {
  const findings = new Findings();
  const byConnection = new Map<number, Operation[]>();
  for (const operation of operations) {
    if (operation.outcome.kind !== 'ok') continue;
    const list = byConnection.get(operation.connection);
    if (list === undefined) byConnection.set(operation.connection, [operation]);
    else list.push(operation);
  }
  for (const list of byConnection.values()) checkConnection(list, findings);
  return findings.violations;
}

function checkConnection(operations: readonly Operation[], findings: Findings): void {
  const byReturn = [...operations].sort((a, b) => a.returnedAt - b.returnedAt);
  let next = 0;
  let newest: Operation | undefined;
  for (const operation of operations) {
    for (; next < byReturn.length; next++) {
      const other = byReturn[next] as Operation;
      if (other.returnedAt >= operation.invokedAt) break;
      if (newest === undefined || revisionOf(other) > revisionOf(newest)) newest = other;
    }
    if (newest !== undefined && revisionOf(operation) < revisionOf(newest)) {
      findings.add(
        'K2',
        `${nameOf(operation)} showed revision ${revisionOf(operation)} after ${nameOf(newest)} ` +
          `had shown ${revisionOf(newest)} on the same connection`,
        [newest.id, operation.id],
        operation.returnedUs,
      );
    }
  }
}

function revisionOf(operation: Operation): number {
  return operation.outcome.kind === 'ok' ? responseRevision(operation.outcome.response) : 0;
}
