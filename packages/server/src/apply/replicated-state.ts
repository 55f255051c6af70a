/**
 * The replicated state machine: entry in, result out, the same on every member.
 *
 * What always holds
 * - Applying reads no clock, no randomness and nothing of the member it runs on: what an entry does follows from the
 *   state and the entry alone.
 * - State, leases, members, alarms, auth and the applied position reach the backend in one batch: all of it lives in the one
 *   store, keys as keys, the rest as its named records.
 * - A refused command changes nothing but the applied position. Only a broken invariant throws.
 * - Order of one command: the caller's rights, alarms, then the key space and the leases together.
 */
import { assert, must } from '@etcd-ts/base';
import { type Backend, type MvccStore, type MvccStoreOptions, openStore } from '@etcd-ts/mvcc';
import {
  AlarmAction,
  type AlarmMember,
  type AlarmRequest,
  EtcdError,
  type LeaseGrantRequest,
} from '@etcd-ts/protocol';
import type { ConfigChange, ConfState } from '@etcd-ts/raft';
import { Lessor } from '../lease/lessor.ts';
import { Membership } from '../membership/membership.ts';
import type { Member } from '../membership/member.ts';
import type { AuthState } from '../auth/auth-state.ts';
import { refusedByAlarm } from './alarm-gate.ts';
import { Alarms } from './alarms.ts';
import type { AuthCommand } from './auth-command.ts';
import { refusedByAuth } from './authorise.ts';
import type { Command, CommandResult } from './command.ts';
import {
  CONF_STATE_RECORD,
  confStateChecksum,
  decodeConfState,
  EMPTY_CONF_STATE,
  encodeConfState,
} from './conf-state-record.ts';
import { grantLease, noteCheckpoints, revokeExpired, revokeLease } from './lease-commands.ts';
import { ReplicatedAuth } from './replicated-auth.ts';
import { deleteRangeResponse, putResponse, revisionHeader, txnResponse } from './responses.ts';
import { refusable } from './store-error.ts';
import { Versions } from './versions.ts';

/** A committed entry as the node hands it to the state. */
export interface CommittedCommand {
  readonly index: number;
  readonly term: number;
  readonly command: Command;
}

/** A committed membership change; `change.context` is the member-context codec's record. */
export interface CommittedConfig {
  readonly index: number;
  readonly term: number;
  readonly change: ConfigChange;
  /** The configuration as of this entry. */
  readonly confState: ConfState;
}

/** Settings of the state that are a member's own and change nothing replicated. */
export type ReplicatedStateOptions = Omit<MvccStoreOptions, 'leases'>;

/** Hears of what has to follow outside the log. Called in the turn of the entry, when the entry is applied. */
export interface StateListener {
  /** A compaction was applied: its records are to be dropped in steps ({@link ReplicatedState.compactStep}). */
  compacted?(): void;
  /** A step of a compaction left deletes for the database to do, outside of any entry. */
  dropped?(): void;
  /** Alarms were raised or lowered. */
  alarmsChanged?(): void;
  /** The cluster's version, or the target of a downgrade, is another one. */
  versionsChanged?(): void;
  /** A token stands for a user from now on. */
  authenticated?(user: string, token: string): void;
  /** The tokens of these users are void. */
  tokensRevoked?(users: readonly string[] | 'all'): void;
  /** The whole state was replaced by a snapshot: `store` and everything else are new objects. */
  replaced?(): void;
}

/** Every key of a backend lies between these two; names begin with a letter. */
const FIRST_KEY = new Uint8Array(0);
const END_OF_KEYS = new Uint8Array([0xff]);

/** Everything that one snapshot replaces. */
interface Content {
  readonly backend: Backend;
  readonly store: MvccStore;
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly auth: ReplicatedAuth;
  readonly versions: Versions;
  confState: ConfState;
  /** Of `confState`. */
  confChecksum: number;
}

/** The checksums beside that of the keys, and the digest that they make together. */
interface RestHash {
  readonly lessor: number;
  readonly membership: number;
  readonly alarms: number;
  readonly auth: number;
  readonly versions: number;
  readonly confState: number;
  readonly text: string;
}

/** The state that every member holds alike: keys, leases, members, alarms, auth. */
export class ReplicatedState {
  /** Stays the same object over a replacement, so that the leader's clock may hold on to it. */
  readonly lessor: Lessor;
  readonly #options: ReplicatedStateOptions;
  readonly #listeners = new Set<StateListener>();
  /** What listeners hear when the entry at hand is applied. */
  readonly #due: ('compacted' | 'alarmsChanged' | 'versionsChanged')[] = [];
  #content: Content;
  #rest: RestHash | undefined;

  private constructor(lessor: Lessor, options: ReplicatedStateOptions, content: Content) {
    this.lessor = lessor;
    this.#options = options;
    this.#content = content;
  }

  /** Opens the state that a backend holds; an empty backend holds the state before the first entry. */
  static async open(
    backend: Backend,
    options: ReplicatedStateOptions = {},
  ): Promise<ReplicatedState> {
    const lessor = new Lessor();
    return new ReplicatedState(lessor, options, await openContent(backend, lessor, options));
  }

  /**
   * Becomes what another backend holds: a snapshot from the leader. Nothing may be applied until the promise resolves.
   * The old backend is the caller's to close.
   */
  async replace(backend: Backend): Promise<void> {
    const before = this.appliedIndex;
    const content = await openContent(backend, this.lessor, this.#options);
    assert(
      content.store.applied.index >= before,
      () => `a snapshot at ${content.store.applied.index} would undo what was applied to ${before}`,
    );
    this.#content = content;
    this.#notify('replaced');
  }

  /** The key space, with its watch hub. Read it, never write it. */
  get store(): MvccStore {
    return this.#content.store;
  }

  get membership(): Membership {
    return this.#content.membership;
  }

  get alarms(): Alarms {
    return this.#content.alarms;
  }

  /** The cluster's version, and the downgrade under way. Read it, never write it. */
  get versions(): Versions {
    return this.#content.versions;
  }

  /** Users, roles and permissions. Ask it, never change it. */
  get auth(): AuthState {
    return this.#content.auth.state;
  }

  /** Last entry applied; grows by one with every apply call. */
  get appliedIndex(): number {
    return this.store.applied.index;
  }

  get appliedTerm(): number {
    return this.store.applied.term;
  }

  /** Raft's configuration as of the last entry applied. */
  get confState(): ConfState {
    return this.#content.confState;
  }

  /** Listens. Returns how to stop. */
  observe(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Puts a new cluster's first members in place, before its first entry; the log alone speaks from then on. */
  bootstrap(members: readonly Member[], confState: ConfState): void {
    assert(this.appliedIndex === 0, () => `bootstrap after entry ${this.appliedIndex}`);
    this.membership.bootstrap(members);
    this.#setConfState(confState);
  }

  /** Puts a new cluster's members in place of those that a backup was taken from. Everything else stays. */
  refound(members: readonly Member[], confState: ConfState): void {
    this.membership.bootstrap(members);
    this.#setConfState(confState);
  }

  /**
   * Applies one command.
   *
   * @returns The result, or the operational error that the caller of the command gets.
   */
  apply(entry: CommittedCommand): CommandResult | EtcdError {
    this.#assertNext(entry.index);
    const result =
      refusedByAuth(entry.command, this.auth, this.lessor) ??
      refusedByAlarm(entry.command, this.alarms) ??
      this.#execute(entry);
    this.store.setApplied(entry.index, entry.term);
    this.#notifyDue();
    return result;
  }

  /** Applies an entry that carries no command (a leader's first entry of its term). */
  applyEmpty(index: number, term: number): void {
    this.#assertNext(index);
    this.store.setApplied(index, term);
  }

  /** Applies a membership change. */
  applyConfig({ index, term, change, confState }: CommittedConfig): void {
    this.#assertNext(index);
    this.membership.applyChange(change);
    this.#setConfState(confState);
    this.store.setApplied(index, term);
  }

  /** A bounded piece of the pending compaction. @returns true when there is more to do now (`store.compactStep`). */
  compactStep(entriesMax: number): boolean {
    const hasMore = this.store.compactStep(entriesMax);
    this.#notify('dropped');
    return hasMore;
  }

  /** Lets the backend give the space of dropped records back to the medium. Nobody is held up meanwhile. */
  defragment(): Promise<void> {
    return this.#content.backend.compactRange(FIRST_KEY, END_OF_KEYS);
  }

  /** A digest over everything replicated; equal on all members after the same index. */
  stateHash(): string {
    const { store } = this.#content;
    const keys = `${store.revision}-${store.compactRevision}-${store.stateHash().toString(16)}`;
    return `${this.appliedIndex}-${keys}-${this.restHash()}`;
  }

  /** A digest of everything but the keys: made anew when one of them has changed, which few entries do. */
  restHash(): string {
    const { membership, alarms, auth, confChecksum, versions } = this.#content;
    const { lessor } = this;
    const known = this.#rest;
    if (
      known?.lessor === lessor.checksum &&
      known.membership === membership.checksum &&
      known.alarms === alarms.checksum &&
      known.auth === auth.checksum &&
      known.versions === versions.checksum &&
      known.confState === confChecksum
    ) {
      return known.text;
    }
    const text = [
      lessor.checksum,
      membership.checksum,
      alarms.checksum,
      auth.checksum,
      versions.checksum,
      confChecksum,
    ].join('-');
    this.#rest = {
      lessor: lessor.checksum,
      membership: membership.checksum,
      alarms: alarms.checksum,
      auth: auth.checksum,
      versions: versions.checksum,
      confState: confChecksum,
      text,
    };
    return text;
  }

  #execute({ index, term, command }: CommittedCommand): CommandResult | EtcdError {
    const { store } = this;
    switch (command.kind) {
      case 'put':
        return refusable(() => ({
          kind: 'put',
          response: putResponse(store.put(command.request)),
        }));
      case 'deleteRange':
        return refusable(() => ({
          kind: 'deleteRange',
          response: deleteRangeResponse(store.deleteRange(command.request)),
        }));
      case 'txn':
        return refusable(() => ({
          kind: 'txn',
          response: txnResponse(store.txn(command.request)),
        }));
      case 'compact':
        return this.#compact(command.request.revision);
      case 'leaseGrant':
        return this.#grant(command.request, index);
      case 'leaseRevoke':
        if (!revokeLease(this, command.request.ID)) return new EtcdError('LEASE_NOT_FOUND');
        return { kind: 'leaseRevoke', response: { header: revisionHeader(store.revision) } };
      case 'leaseRevokeExpired':
        revokeExpired(this, command, term);
        return { kind: 'done' };
      case 'leaseCheckpoint':
        noteCheckpoints(this.lessor, command, term);
        return { kind: 'done' };
      case 'alarm':
        return this.#alarm(command.request);
      case 'auth':
        return this.#changeAuth(command.change, index);
      case 'publishMember':
        this.membership.publish(command.id, command.name, command.clientUrls);
        return { kind: 'done' };
      case 'setClusterVersion':
        this.versions.setCluster(command.version);
        this.#due.push('versionsChanged');
        return { kind: 'done' };
      case 'setDowngrade':
        this.versions.setDowngradeTarget(command.target);
        this.#due.push('versionsChanged');
        return { kind: 'done' };
    }
  }

  #compact(revision: number): CommandResult | EtcdError {
    const result = refusable((): CommandResult => {
      this.store.compact(revision);
      return { kind: 'compact', revision: this.store.revision };
    });
    if (!EtcdError.is(result)) this.#due.push('compacted');
    return result;
  }

  #grant(request: LeaseGrantRequest, index: number): CommandResult | EtcdError {
    const lease = grantLease(this.lessor, request, index);
    if (EtcdError.is(lease)) return lease;
    const header = revisionHeader(this.store.revision);
    const response = { header, ID: lease.id, TTL: lease.grantedTtlSeconds, error: '' };
    return { kind: 'leaseGrant', response };
  }

  #alarm({ action, memberID, alarm }: AlarmRequest): CommandResult {
    const header = revisionHeader(this.store.revision);
    const answer = (alarms: readonly (AlarmMember | undefined)[]): CommandResult => ({
      kind: 'alarm',
      response: { header, alarms: alarms.filter((raised) => raised !== undefined) },
    });
    if (action === AlarmAction.GET) return answer(this.alarms.list(alarm));
    if (action !== AlarmAction.ACTIVATE && action !== AlarmAction.DEACTIVATE) return answer([]);
    const changed =
      action === AlarmAction.ACTIVATE
        ? this.alarms.activate(memberID, alarm)
        : this.alarms.deactivate(memberID, alarm);
    if (changed !== undefined) this.#due.push('alarmsChanged');
    return answer([changed]);
  }

  #changeAuth(change: AuthCommand, index: number): CommandResult | EtcdError {
    const result = this.#content.auth.apply(change);
    if (EtcdError.is(result)) return result;
    for (const listener of this.#listeners) listener.tokensRevoked?.(result.revokedTokens);
    if (change.op !== 'authenticate') return { kind: 'auth', token: '' };
    const token = `${change.prefix}.${index}`;
    for (const listener of this.#listeners) listener.authenticated?.(change.user, token);
    return { kind: 'auth', token };
  }

  #setConfState(confState: ConfState): void {
    this.#content.confState = confState;
    this.#content.confChecksum = confStateChecksum(confState);
    this.store.meta.set(CONF_STATE_RECORD, encodeConfState(confState));
  }

  #assertNext(index: number): void {
    assert(
      index === this.appliedIndex + 1,
      () => `entry ${index} follows entry ${this.appliedIndex}`,
    );
  }

  /** Whoever hears of an entry may write the state behind at once: so the applied position is of the entry by then. */
  #notifyDue(): void {
    while (this.#due.length > 0) this.#notify(must(this.#due.shift(), 'event'));
  }

  #notify(event: 'compacted' | 'dropped' | 'alarmsChanged' | 'versionsChanged' | 'replaced'): void {
    for (const listener of this.#listeners) listener[event]?.();
  }
}

async function openContent(
  backend: Backend,
  lessor: Lessor,
  options: ReplicatedStateOptions,
): Promise<Content> {
  const store = await openStore(backend, { ...options, leases: lessor });
  // First of all: state of a newer format must not be read as if it were of this one.
  const versions = new Versions(store.meta);
  lessor.load(store.meta, store.leasedKeys());
  const record = store.meta.get(CONF_STATE_RECORD);
  const confState = record === undefined ? EMPTY_CONF_STATE : decodeConfState(record);
  return {
    backend,
    store,
    membership: new Membership(store.meta),
    alarms: new Alarms(store.meta),
    auth: new ReplicatedAuth(store.meta),
    versions,
    confState,
    confChecksum: confStateChecksum(confState),
  };
}
