/**
 * What became of operations whose clients were not told: the log that the members applied knows. Also finds what the log
 * holds too often, or although its client was told that nothing happened (K5).
 */
import { type Operation, responseRevision } from '../history/operation.ts';
import { type Findings } from '../checkers/violation.ts';
import { didWrite, type LeaseEnd } from '../checkers/placement.ts';
import { nameOf } from '../checkers/strict-serializability.ts';
import { contentHash, ContentMap, hasSameContent } from '../checkers/content.ts';
import type { Ghost, GhostEntry } from './ghost.ts';

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
  const leaseEnds = ghost.leaseEndings
    .filter(({ keys }) => keys.length > 0)
    .map(({ leaseId, revision }) => ({ leaseId, revision }));
  const unknownRevisions = new Map<number, number>();
  const untold = contentsUntold(operations, ghost);
  if (untold.size === 0) return { unknownRevisions, leaseEnds };
  const asked = new ContentMap<Operation>();
  for (const operation of operations) {
    const { kind } = operation.request;
    if (!isWrite(kind)) continue;
    const content = contentOf(kind, operation.request);
    if (untold.has(contentHash(content))) asked.itemsOf(content).push(operation);
  }
  for (const { value, items } of writesByContent(ghost, untold)) {
    claim(asked.itemsOf(value), items, unknownRevisions, findings);
  }
  return { unknownRevisions, leaseEnds };
}

/** The hashes of what the log holds without any client who was told so: all else needs no second look. */
function contentsUntold(operations: readonly Operation[], ghost: Ghost): ReadonlySet<number> {
  const left = new Map<number, GhostEntry>();
  for (const entry of ghost.entries) {
    if (entry?.command !== undefined && entry.wrote && isWrite(entry.command.kind)) {
      left.set(entry.revision, entry);
    }
  }
  for (const { request, outcome } of operations) {
    if (outcome.kind !== 'ok' || !isWrite(request.kind) || !didWrite(outcome.response)) continue;
    const revision = responseRevision(outcome.response);
    const command = left.get(revision)?.command;
    if (command?.kind !== request.kind || !('request' in command)) continue;
    if (hasSameContent(command.request, 'request' in request ? request.request : undefined)) {
      left.delete(revision);
    }
  }
  const hashes = new Set<number>();
  for (const { command } of left.values()) {
    if (command !== undefined) hashes.add(contentHash(contentOf(command.kind, command)));
  }
  return hashes;
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
    const isRefused = first.outcome.kind === 'failed' && isAuthError(first.outcome.code);
    findings.add(
      isRefused ? 'AU4' : 'K5',
      `${nameOf(first)} made revision ${revision} (all: ${revisions.join(', ')}), but ${how}`,
      asked.map((each) => each.id),
    );
  });
}

/** The revisions that each key-value command of the log made, of contents with these hashes. */
function writesByContent(ghost: Ghost, wanted: ReadonlySet<number>): ContentMap<number> {
  const written = new ContentMap<number>();
  for (const entry of ghost.entries) {
    if (entry?.command === undefined || !entry.wrote) continue;
    const { kind } = entry.command;
    if (!isWrite(kind)) continue;
    const content = contentOf(kind, entry.command);
    if (wanted.has(contentHash(content))) written.itemsOf(content).push(entry.revision);
  }
  return written;
}

/** The caller was told that he may not. */
function isAuthError(code: string): boolean {
  return ['PERMISSION_DENIED', 'USER_EMPTY', 'INVALID_AUTH_TOKEN', 'AUTH_OLD_REVISION'].includes(
    code,
  );
}

function isWrite(kind: string): boolean {
  return kind === 'put' || kind === 'deleteRange' || kind === 'txn';
}

/** What was asked for; not in whose name. */
function contentOf(kind: string, asked: object): unknown {
  return { kind, request: 'request' in asked ? asked.request : undefined };
}
