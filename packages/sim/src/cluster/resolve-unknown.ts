/**
 * What became of operations whose clients were not told: the log that the members applied knows. Also finds what the log
 * holds too often, or although its client was told that nothing happened (K5).
 */
import { type Operation, type OperationRequest, responseRevision } from '../history/operation.ts';
import { type Findings } from '../checkers/violation.ts';
import { didWrite, type LeaseEnd } from '../checkers/placement.ts';
import { nameOf } from '../checkers/strict-serializability.ts';
import { fingerprintOf, type Ghost } from './ghost.ts';

/** What the log says of a history. */
export interface Resolved {
  /** Revisions that operations with unknown outcome made. */
  readonly unknownRevisions: ReadonlyMap<number, number>;
  readonly leaseEnds: readonly LeaseEnd[];
}

/** Compares a history with the log. */
export function resolveUnknown(
  operations: readonly Operation[],
  ghost: Ghost,
  findings: Findings,
): Resolved {
  const written = writesByFingerprint(ghost);
  const byFingerprint = new Map<string, Operation[]>();
  for (const operation of operations) {
    const fingerprint = fingerprintOfRequest(operation.request);
    if (fingerprint === undefined) continue;
    const same = byFingerprint.get(fingerprint);
    if (same === undefined) byFingerprint.set(fingerprint, [operation]);
    else same.push(operation);
  }
  const unknownRevisions = new Map<number, number>();
  for (const [fingerprint, revisions] of written) {
    const asked = byFingerprint.get(fingerprint) ?? [];
    claim(asked, revisions, unknownRevisions, findings);
  }
  const leaseEnds = ghost.leaseEndings
    .filter((ending) => ending.hadKeys)
    .map(({ leaseId, revision }) => ({ leaseId, revision }));
  return { unknownRevisions, leaseEnds };
}

/** Gives each revision that a request made to one of those who asked for exactly that. */
function claim(
  asked: readonly Operation[],
  revisions: readonly number[],
  unknownRevisions: Map<number, number>,
  findings: Findings,
): void {
  const told = new Set<number>();
  for (const { outcome } of asked) {
    if (outcome.kind === 'ok' && didWrite(outcome.response)) {
      told.add(responseRevision(outcome.response));
    }
  }
  const left = revisions.filter((revision) => !told.has(revision));
  const unknown = asked.filter((each) => each.outcome.kind === 'unknown');
  left.forEach((revision, i) => {
    const operation = unknown[i];
    if (operation !== undefined) {
      unknownRevisions.set(operation.id, revision);
      return;
    }
    const [first] = asked;
    if (first === undefined) {
      findings.add('K5', `revision ${revision} was made by a command that no client sent`);
      return;
    }
    const how =
      first.outcome.kind === 'failed'
        ? `its client was told that nothing happened (${first.outcome.code})`
        : 'it was asked for less often';
    findings.add(
      'K5',
      `${nameOf(first)} made revision ${revision} (all: ${revisions.join(', ')}), but ${how}`,
      asked.map((each) => each.id),
    );
  });
}

/** The revisions that each key-value command of the log made. */
function writesByFingerprint(ghost: Ghost): Map<string, number[]> {
  const written = new Map<string, number[]>();
  for (const entry of ghost.entries) {
    if (entry?.command === undefined || !entry.wrote) continue;
    const { kind } = entry.command;
    if (kind !== 'put' && kind !== 'deleteRange' && kind !== 'txn') continue;
    const fingerprint = fingerprintOf(entry.command);
    const revisions = written.get(fingerprint);
    if (revisions === undefined) written.set(fingerprint, [entry.revision]);
    else revisions.push(entry.revision);
  }
  return written;
}

function fingerprintOfRequest(request: OperationRequest): string | undefined {
  const { kind } = request;
  if (kind !== 'put' && kind !== 'deleteRange' && kind !== 'txn') return undefined;
  return fingerprintOf({ kind, request: request.request } as { readonly kind: string });
}
