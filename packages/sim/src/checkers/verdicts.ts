/**
 * What the log's commands were answered, by the book (K3, L6, CP2): who was refused had to be, and nothing was done that
 * had to be refused. The log gives the order itself, so each verdict is judged by the very state that its entry found.
 *
 * Refusals for want of a right or of room are others' business; so is what a command that was taken did to keys.
 */
import { toLatin1 } from '@etcd-ts/base';
import { EVENT_PUT, type PutRequest, type RangeRequest, type RequestOp } from '@etcd-ts/mvcc';
import type { ErrorCode } from '@etcd-ts/protocol';
import type { GhostCommand, GhostEntry } from '../cluster/ghost.ts';
import type { Operation } from '../history/operation.ts';
import { DONE } from '../history/verdict.ts';
import { type EtcdModel, FIRST_REVISION } from '../model/etcd-model.ts';
import { Findings, type InvariantId, type Violation } from './violation.ts';

/** Judges the verdict of every entry. `entries`: by index. `model`: with the whole history replayed. */
export function checkVerdicts(
  entries: readonly (GhostEntry | undefined)[],
  model: EtcdModel,
): readonly Violation[] {
  const walk = new VerdictWalk(model);
  entries.forEach((entry, index) => {
    if (entry !== undefined) walk.pass(index, entry);
  });
  return walk.violations;
}

/**
 * What failed for certain left no trace (K5): of changes that write no key. Those of keys `resolve-unknown.ts` looks for.
 * Judged where every caller is a client whose calls are written down: what no client asked for is somebody else's.
 */
export function checkTraces(
  entries: readonly (GhostEntry | undefined)[],
  operations: readonly Operation[],
): readonly Violation[] {
  const findings = new Findings();
  const done = new Map<string, number>();
  for (const entry of entries) {
    const name = entry?.verdict === DONE ? nameOfChange(entry.command) : undefined;
    if (name !== undefined) done.set(name, (done.get(name) ?? 0) + 1);
  }
  const asked = new Map<string, Operation[]>();
  for (const operation of operations) {
    const name = nameOfAsked(operation);
    if (name !== undefined) asked.set(name, [...(asked.get(name) ?? []), operation]);
  }
  for (const [name, those] of asked) {
    const explained = those.filter(({ outcome }) => outcome.kind !== 'failed').length;
    const times = done.get(name) ?? 0;
    if (times <= explained) continue;
    const [failed] = those.filter(({ outcome }) => outcome.kind === 'failed');
    const code = failed?.outcome.kind === 'failed' ? failed.outcome.code : 'nothing';
    findings.add(
      'K5',
      `${name} was done ${times} times and asked for ${explained} times, besides those that were told ${code}`,
      those.map(({ id }) => id),
      failed?.returnedUs,
    );
  }
  return findings.violations;
}

function nameOfChange(command: GhostCommand | undefined): string | undefined {
  switch (command?.kind) {
    case 'compact':
      return `the compaction to ${command.request.revision}`;
    case 'leaseGrant':
      return `the grant of lease ${command.request.ID}`;
    case 'leaseRevoke':
      return `the revocation of lease ${command.request.ID}`;
    default:
      return undefined;
  }
}

function nameOfAsked({ request }: Operation): string | undefined {
  switch (request.kind) {
    case 'compact':
      return `the compaction to ${request.revision}`;
    case 'leaseGrant':
      // The member chooses a name then.
      return request.id === 0n ? undefined : `the grant of lease ${request.id}`;
    case 'leaseRevoke':
      return `the revocation of lease ${request.id}`;
    default:
      return undefined;
  }
}

/** The walk over the log, with what each entry finds. */
class VerdictWalk {
  readonly #model: EtcdModel;
  readonly #findings = new Findings();
  /** The leases that there are, and the entry that granted each. */
  readonly #leases = new Map<bigint, number>();
  #revision = FIRST_REVISION;
  #compactRevision = 0;

  constructor(model: EtcdModel) {
    this.#model = model;
  }

  get violations(): readonly Violation[] {
    return this.#findings.violations;
  }

  pass(index: number, entry: GhostEntry): void {
    const { command, verdict } = entry;
    if (command !== undefined) {
      if (verdict === DONE) this.#done(index, command, entry);
      else if (this.#isWrong(verdict, command)) {
        this.#add('K3', index, entry, `was refused with ${verdict}, for which there was no reason`);
      }
    }
    this.#revision = entry.revision;
  }

  #done(index: number, command: GhostCommand, entry: GhostEntry): void {
    switch (command.kind) {
      case 'put':
      case 'txn':
        if (entry.wrote) this.#checkLeases(index, entry);
        return;
      case 'compact':
        this.#compacted(index, command.request.revision, entry);
        return;
      case 'leaseGrant': {
        const { ID } = command.request;
        if (this.#leases.has(ID))
          this.#add('K3', index, entry, `granted lease ${ID}, which is there`);
        this.#leases.set(ID, index);
        return;
      }
      case 'leaseRevoke': {
        const { ID } = command.request;
        if (this.#leases.delete(ID)) return;
        this.#add('K3', index, entry, `revoked lease ${ID}, which is not there`);
        return;
      }
      case 'leaseRevokeExpired':
        if (command.term !== entry.term) return;
        // A lease that was granted after its leader looked is another one.
        for (const id of command.ids) {
          if ((this.#leases.get(id) ?? Infinity) <= command.asOfIndex) this.#leases.delete(id);
        }
        return;
      default:
    }
  }

  /** Every key that it wrote with a lease is on one that is there. */
  #checkLeases(index: number, entry: GhostEntry): void {
    for (const { type, kv } of this.#model.eventsAt(entry.revision)) {
      if (type !== EVENT_PUT || kv.lease === 0n || this.#leases.has(kv.lease)) continue;
      this.#add(
        'L6',
        index,
        entry,
        `put ${toLatin1(kv.key)} with lease ${kv.lease}, which is not there`,
      );
    }
  }

  #compacted(index: number, revision: number, entry: GhostEntry): void {
    const isForward = revision > this.#compactRevision && revision <= this.#revision;
    if (!isForward) {
      const range = `the compaction was at ${this.#compactRevision} and the head at ${this.#revision}`;
      this.#add('CP2', index, entry, `compacted to ${revision}, when ${range}`);
    }
    this.#compactRevision = Math.max(this.#compactRevision, revision);
  }

  /** Whether there was nothing to refuse it for in this way. */
  #isWrong(verdict: string, command: GhostCommand): boolean {
    // By its type, that no code is awaited which there is not.
    switch (verdict as ErrorCode) {
      case 'LEASE_NOT_FOUND':
        return command.kind === 'leaseRevoke'
          ? this.#leases.has(command.request.ID)
          : isWrite(command) && putsOf(command).every((put) => this.#hasLease(put));
      case 'LEASE_EXIST':
        return command.kind === 'leaseGrant' && !this.#leases.has(command.request.ID);
      case 'KEY_NOT_FOUND':
        return isWrite(command) && putsOf(command).every((put) => this.#hasKey(put));
      case 'FUTURE_REV':
        return command.kind === 'compact'
          ? command.request.revision <= this.#revision
          : rangesOf(command).every(({ revision }) => revision <= this.#revision);
      case 'COMPACTED':
        return command.kind === 'compact'
          ? command.request.revision > this.#compactRevision
          : rangesOf(command).every(({ revision }) => {
              return revision === 0 || revision >= this.#compactRevision;
            });
      default:
        return false;
    }
  }

  #hasLease({ lease }: PutRequest): boolean {
    return lease === 0n || this.#leases.has(lease);
  }

  #hasKey({ key, ignoreValue, ignoreLease }: PutRequest): boolean {
    if (!ignoreValue && !ignoreLease) return true;
    return this.#model.space.at(toLatin1(key), this.#revision) !== undefined;
  }

  #add(invariant: InvariantId, index: number, { kind, atUs }: GhostEntry, what: string): void {
    this.#findings.add(invariant, `entry ${index} (${kind}) ${what}`, [], atUs);
  }
}

type Write = Extract<GhostCommand, { kind: 'put' | 'txn' }>;

function isWrite(command: GhostCommand): command is Write {
  return command.kind === 'put' || command.kind === 'txn';
}

/** Every put that the command may come to. */
function putsOf(command: Write): readonly PutRequest[] {
  if (command.kind === 'put') return [command.request];
  return opsOf(command).flatMap((op) => (op?.$case === 'requestPut' ? [op.value] : []));
}

/** Every read that the command may come to. */
function rangesOf(command: GhostCommand): readonly RangeRequest[] {
  if (command.kind !== 'txn') return [];
  return opsOf(command).flatMap((op) => (op?.$case === 'requestRange' ? [op.value] : []));
}

function opsOf({ request }: Extract<Write, { kind: 'txn' }>): readonly RequestOp['request'][] {
  return [...request.success, ...request.failure].flatMap(({ request: op }) => {
    return op?.$case === 'requestTxn' ? opsOf({ kind: 'txn', request: op.value }) : [op];
  });
}
