/**
 * Locks and elections (X1 to X5) by revisions: an election is a lock with a value. By time they exclude one another only
 * where clocks go right and nothing is held up (X2).
 */
import { toLatin1 } from '@etcd-ts/base';
import type { EtcdModel } from '../model/etcd-model.ts';
import { rangeLimits } from '../model/key-space.ts';
import { show } from './difference.ts';
import { Findings, type Violation } from './violation.ts';

/** One time that a client was told to hold a lock. */
export interface LockHold {
  readonly kind: 'lock' | 'elect';
  readonly client: number;
  /** Every key below it is a waiter's or the owner's. */
  readonly prefix: Uint8Array;
  readonly key: Uint8Array;
  readonly createRevision: number;
  /** The revision at which the recipe found itself the owner. */
  readonly acquiredRevision: number;
  readonly acquiredAtUs: number;
  /** Until when its holder took it for its own: it let it go, or its lease may have run out. */
  heldUntilUs: number;
  /** Revisions of writes made under the lock, each fenced by a compare on the key's create revision. */
  readonly fencedWrites: number[];
}

/** Judges what lock holders were told, by the replayed history; `isCalm`: nothing went wrong with time. */
export function checkLocks(
  holds: readonly LockHold[],
  model: EtcdModel,
  isCalm = false,
): readonly Violation[] {
  const findings = new Findings();
  if (isCalm) checkExclusion(holds, findings);
  for (const hold of holds) {
    checkOwner(hold, model, findings);
    for (const revision of hold.fencedWrites) checkFenced(hold, revision, model, findings);
  }
  return findings.violations;
}

/** At no moment do two take the same lock for their own. */
function checkExclusion(holds: readonly LockHold[], findings: Findings): void {
  const latest = new Map<string, LockHold>();
  for (const hold of [...holds].sort((a, b) => a.acquiredAtUs - b.acquiredAtUs)) {
    const prefix = toLatin1(hold.prefix);
    const before = latest.get(prefix);
    if (before !== undefined && before.heldUntilUs > hold.acquiredAtUs) {
      findings.add(
        'X2',
        `client ${hold.client} took ${prefix} at ${hold.acquiredAtUs} us, while client ${before.client} held it until ${before.heldUntilUs} us`,
        [],
        hold.acquiredAtUs,
      );
    }
    if (before === undefined || hold.heldUntilUs > before.heldUntilUs) latest.set(prefix, hold);
  }
}

function checkOwner(hold: LockHold, model: EtcdModel, findings: Findings): void {
  const at = hold.acquiredRevision;
  const own = model.space.at(toLatin1(hold.key), at);
  if (own === undefined || own.createRevision !== hold.createRevision) {
    findings.add(
      'X4',
      `client ${hold.client} was told to hold ${show(hold.key)} at revision ${at}, where it is ` +
        (own === undefined ? 'not there' : `another one, made at ${own.createRevision}`),
      [],
      hold.acquiredAtUs,
    );
    return;
  }
  const owner = ownerAt(hold.prefix, at, model);
  if (owner === undefined || owner.createRevision >= hold.createRevision) return;
  findings.add(
    hold.kind === 'elect' ? 'X5' : 'X1',
    `client ${hold.client} was told to hold ${show(hold.key)} (made at ${hold.createRevision}) at ` +
      `revision ${at}, where ${show(owner.key)} is older (made at ${owner.createRevision})`,
    [],
    hold.acquiredAtUs,
  );
}

/** The state just before a fenced write must still hold the lock's key, and no older waiter. */
function checkFenced(hold: LockHold, revision: number, model: EtcdModel, findings: Findings): void {
  const own = model.space.at(toLatin1(hold.key), revision - 1);
  const owner = ownerAt(hold.prefix, revision - 1, model);
  const isOwner =
    own?.createRevision === hold.createRevision && owner?.createRevision === hold.createRevision;
  if (isOwner) return;
  findings.add(
    'X3',
    `client ${hold.client} wrote revision ${revision} under ${show(hold.key)} (made at ` +
      `${hold.createRevision}), but the owner then was ${owner === undefined ? 'nobody' : show(owner.key)}`,
    [],
    hold.acquiredAtUs,
  );
}

function ownerAt(
  prefix: Uint8Array,
  revision: number,
  model: EtcdModel,
): { readonly key: string; readonly createRevision: number } | undefined {
  const start = toLatin1(prefix);
  const end = rangeLimits(start, prefixSuccessor(start));
  let owner: { readonly key: string; readonly createRevision: number } | undefined;
  for (const key of model.space.keysAt(start, end, revision)) {
    const createRevision = model.space.at(key, revision)?.createRevision ?? 0;
    if (owner === undefined || createRevision < owner.createRevision) {
      owner = { key, createRevision };
    }
  }
  return owner;
}

function prefixSuccessor(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
