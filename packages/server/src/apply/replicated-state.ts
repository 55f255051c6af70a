/**
 * The replicated state machine's face to the node: entry in, result out, the same on every member.
 *
 * Pure: no clock, no randomness, no promise. What must be persisted goes into the store's write-behind buffer with the
 * entry's index, so that state and consistent index reach the backend in one batch.
 */
import type { ConfigChange, ConfState } from '@etcd-ts/raft';
import type { EtcdError } from '@etcd-ts/protocol';
import type { Command, CommandResult } from './command.ts';

/** A committed entry as the node hands it to the state. */
export interface CommittedCommand {
  readonly index: number;
  readonly term: number;
  readonly command: Command;
}

/** A committed membership change; `context` in it is the member-context codec's record. */
export interface CommittedConfig {
  readonly index: number;
  readonly term: number;
  readonly change: ConfigChange;
  readonly confState: ConfState;
}

/** The state that every member holds alike: keys, leases, members, alarms, auth. */
export interface ReplicatedState {
  /** Last entry applied; asserted to grow by one with every apply call. */
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly confState: ConfState;

  /**
   * Applies one command.
   *
   * @returns The result, or the operational error that the caller of the command gets. Never throws but for a broken
   *   invariant.
   */
  apply(entry: CommittedCommand): CommandResult | EtcdError;

  /** Applies an entry that carries no command (a leader's first entry of its term). */
  applyEmpty(index: number, term: number): void;

  /** Applies a membership change. */
  applyConfig(entry: CommittedConfig): void;

  /** A digest over everything replicated; equal on all members after the same index. */
  stateHash(): string;
}
