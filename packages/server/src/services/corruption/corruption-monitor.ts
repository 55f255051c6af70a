/**
 * Looks again and again whether the members hold the same data, while this member leads, and raises the CORRUPT alarm
 * for those that do not (etcd server/etcdserver/server.go, monitorKVHash and monitorCompactHash).
 */
import { idToHex, type MemberId } from '@etcd-ts/base';
import { AlarmAction, AlarmType, EtcdError } from '@etcd-ts/protocol';
import type { Timer } from '../../clock.ts';
import type { NodePort } from '../../node-port.ts';
import { CompactionCheck } from './compaction-check.ts';
import { findCorruptMembers } from './data-check.ts';
import { MemberHashes } from './member-hashes.ts';

/** How often to look; 0 is never. */
export interface CorruptionChecks {
  /** At all data, in milliseconds. etcd --corrupt-check-time. */
  readonly corruptCheckTimeMs: number;
  /** At what compactions have left, in milliseconds; 0 takes no hashes of compactions either. */
  readonly compactHashCheckTimeMs: number;
}

/** Never looks. */
export const NO_CORRUPTION_CHECKS: CorruptionChecks = {
  corruptCheckTimeMs: 0,
  compactHashCheckTimeMs: 0,
};

/** Watches over a cluster's data. */
export class CorruptionMonitor {
  readonly hashes: MemberHashes;
  readonly #node: NodePort;
  readonly #compactions: CompactionCheck;
  readonly #ending = new AbortController();
  readonly #timers = new Set<Timer>();
  readonly #stopObserving: () => void;

  /** Begins at once. */
  constructor(node: NodePort, checks: CorruptionChecks = NO_CORRUPTION_CHECKS) {
    this.#node = node;
    this.hashes = new MemberHashes(node);
    this.#compactions = new CompactionCheck(node, this.hashes);
    const { signal } = this.#ending;
    this.#every(checks.corruptCheckTimeMs, () => findCorruptMembers(node, this.hashes, signal));
    this.#every(checks.compactHashCheckTimeMs, () => this.#compactions.findCorruptMembers(signal));
    this.#stopObserving = node.state.observe({
      compacted: () => {
        if (checks.compactHashCheckTimeMs === 0) return;
        void this.hashes.rememberCompaction(node.state.store.compactRevision);
      },
      replaced: () => this.hashes.clear(),
    });
  }

  /** Ends: nothing is asked or raised any more. */
  stop(): void {
    this.#ending.abort(new EtcdError('STOPPED', { mayHaveApplied: false }));
    this.#stopObserving();
    for (const timer of this.#timers) timer.cancel();
  }

  /** Looks every so often, never twice at a time. */
  #every(intervalMs: number, find: () => Promise<readonly MemberId[]>): void {
    if (intervalMs === 0) return;
    const timer = this.#node.clock.after(intervalMs, () => {
      this.#timers.delete(timer);
      void this.#look(find).then(() => {
        if (!this.#ending.signal.aborted) this.#every(intervalMs, find);
      });
    });
    this.#timers.add(timer);
  }

  async #look(find: () => Promise<readonly MemberId[]>): Promise<void> {
    const { log } = this.#node;
    if (!this.#node.status().isLeader) return;
    try {
      for (const member of await find()) await this.#raise(member);
    } catch (error) {
      if (!this.#ending.signal.aborted) log.warn('failed to check hash KV', { error });
    }
  }

  async #raise(memberID: MemberId): Promise<void> {
    const { state, log } = this.#node;
    const raised = state.alarms.list(AlarmType.CORRUPT);
    if (raised.some((alarm) => alarm.memberID === memberID)) return;
    log.error('corrupt data: raising the alarm', { 'member-id': idToHex(memberID) });
    await this.#node.propose({
      kind: 'alarm',
      request: { action: AlarmAction.ACTIVATE, memberID, alarm: AlarmType.CORRUPT },
    });
  }
}
