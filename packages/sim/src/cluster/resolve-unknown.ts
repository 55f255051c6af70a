/**
 * What became of operations whose clients were not told: the log that the members applied knows. Also finds what the log
 * holds too often, or although its client was told that nothing happened (K5).
 */
import { toLatin1 } from '@etcd-ts/base';
import { type Operation, type OperationRequest, responseRevision } from '../history/operation.ts';
import { type Findings } from '../checkers/violation.ts';
import { didWrite, type LeaseEnd } from '../checkers/placement.ts';
import { nameOf } from '../checkers/strict-serializability.ts';
import { contentHash, ContentMap, hasSameContent } from '../checkers/content.ts';
import type { Ghost, GhostEntry } from './ghost.ts';

/** In whose name members write for their callers. */
const SERVED_CLIENT = -1;

/** What the log says of a history. */
export interface Resolved {
  /** What was asked, and what members wrote in their callers' names. */
  readonly operations: readonly Operation[];
  /** Revisions that operations with unknown outcome made. */
  readonly unknownRevisions: ReadonlyMap<number, number>;
  readonly leaseEnds: readonly LeaseEnd[];
}

/** Compares a history with the log. */
export function resolveUnknown(
  operations: readonly Operation[],
  ghost: Ghost,
  findings: Findings,
  served: ReadonlySet<string> = new Set(),
): Resolved {
  const leaseEnds = ghost.leaseEndings
    .filter(({ keys }) => keys.length > 0)
    .map(({ leaseId, revision }) => ({ leaseId, revision }));
  const unknownRevisions = new Map<number, number>();
  const untold = contentsUntold(operations, ghost);
  if (untold.size === 0) return { operations, unknownRevisions, leaseEnds };
  const asked = new ContentMap<Operation>();
  for (const operation of operations) {
    const { kind } = operation.request;
    if (!isWrite(kind)) continue;
    const content = contentOf(kind, operation.request);
    if (untold.has(contentHash(content))) asked.itemsOf(content).push(operation);
  }
  const all = [...operations];
  for (const { value, items } of writesByContent(ghost, untold)) {
    const request = value as OperationRequest;
    if (asked.itemsOf(value).length === 0 && writesOnly(request, served)) {
      for (const revision of items) {
        unknownRevisions.set(all.length, revision);
        all.push(servedOperation(all.length, request));
      }
    } else claim(asked.itemsOf(value), items, unknownRevisions, findings);
  }
  return { operations: all, unknownRevisions, leaseEnds };
}

/** True when the request writes nothing but such keys. */
function writesOnly(request: OperationRequest, keys: ReadonlySet<string>): boolean {
  const isOurs = ({ key }: { readonly key: Uint8Array }): boolean => keys.has(toLatin1(key));
  if (request.kind === 'deleteRange') return isOurs(request.request);
  if (request.kind !== 'txn') return false;
  return request.request.success.every(({ request: op }) => {
    if (op?.$case === 'requestRange') return true;
    return op?.$case === 'requestPut' || op?.$case === 'requestDeleteRange'
      ? isOurs(op.value)
      : false;
  });
}

function servedOperation(id: number, request: OperationRequest): Operation {
  return {
    id,
    client: SERVED_CLIENT,
    member: 0,
    connection: SERVED_CLIENT,
    request,
    invokedAt: -1,
    returnedAt: Infinity,
    invokedUs: 0,
    returnedUs: 0,
    outcome: {
      kind: 'unknown',
      code: 'SERVED',
    },
  };
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
