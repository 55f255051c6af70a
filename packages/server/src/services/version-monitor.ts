/**
 * Sees to it that the cluster is at the version that all of its members have, or at the target of a downgrade
 * (etcd server/etcdserver/version/monitor.go). Works while this member leads; the outcome is replicated.
 *
 * What always holds
 * - The cluster's version is never raised above that of a member that was asked, nor above a downgrade's target.
 * - Only a downgrade lowers it.
 * - A member that is older than the cluster's version, and no downgrade leads to it, does not go on.
 */
import { fromUtf8, memberId, utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import type { Timer } from '../clock.ts';
import type { NodePort } from '../node-port.ts';
import { StartError } from '../start-error.ts';
import { compareMinors, MIN_CLUSTER_VERSION, minorOf, withPatch } from './version.ts';

/** A member asks another for its version. */
export const MEMBER_VERSION = 'etcd-ts.Member/Version';

/** While members have not answered and nothing is decided, they are asked again after so long. */
const FIRST_RETRY_MS = 100;

/** Answers {@link MEMBER_VERSION}. */
export function answerVersion(node: NodePort): Promise<Uint8Array> {
  return Promise.resolve(utf8(node.serverVersion));
}

/** The cluster's version as `/version` shows it. */
export function clusterVersionText({ state }: Pick<NodePort, 'state'>): string {
  const { cluster } = state.versions;
  return cluster === undefined ? 'not_decided' : withPatch(cluster);
}

/** From which version on what is stored can be read: the cluster's. */
export function storageVersion({
  serverVersion,
  state,
}: Pick<NodePort, 'serverVersion' | 'state'>): string {
  return withPatch(state.versions.cluster ?? minorOf(serverVersion));
}

/** Why a member of this version may not take part in the state's cluster; undefined when it may. */
export function versionRefusal(
  serverVersion: string,
  { versions }: Pick<ReplicatedState, 'versions'>,
): StartError | undefined {
  const { cluster } = versions;
  if (cluster === undefined || compareMinors(serverVersion, cluster) >= 0) return undefined;
  return new StartError(
    'NEWER_FORMAT',
    `invalid downgrade; server version is lower than determined cluster version: this is ${serverVersion}, the cluster is at ${cluster}`,
  );
}

/** Watches over the cluster's version while this member leads. */
export class VersionMonitor {
  readonly #node: NodePort;
  readonly #checkMs: number;
  readonly #stopListening: () => void;
  readonly #ending = new AbortController();
  #timer: Timer | undefined;
  #isLooking = false;
  /** Since when this member leads. */
  #ledSinceMs = 0;

  /** @param checkMs Between two looks. etcd --downgrade-check-time. */
  constructor(node: NodePort, checkMs: number) {
    this.#node = node;
    this.#checkMs = checkMs;
    let term = 0;
    this.#stopListening = node.onStatusChange((status) => {
      if (!status.isLeader || status.term === term) return;
      term = status.term;
      this.#ledSinceMs = node.clock.monotonicMs();
      this.#lookIn(0);
    });
  }

  /** Ends: nothing is asked or proposed any more. */
  stop(): void {
    this.#ending.abort(new EtcdError('STOPPED'));
    this.#stopListening();
    this.#timer?.cancel();
  }

  #lookIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#node.clock.after(delayMs, () => void this.#look());
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.#isLooking || !this.#node.status().isLeader) return;
    this.#isLooking = true;
    let nextMs = this.#checkMs;
    try {
      if (!(await this.#settle())) nextMs = Math.min(FIRST_RETRY_MS, this.#checkMs);
    } catch (error) {
      if (!this.#ending.signal.aborted) {
        this.#node.log.warn('failed to update the cluster version', { error });
      }
    } finally {
      this.#isLooking = false;
      if (!this.#ending.signal.aborted) this.#lookIn(nextMs);
    }
  }

  /** @returns False when somebody has to be asked again soon. */
  async #settle(): Promise<boolean> {
    const { versions } = this.#node.state;
    const { cluster, downgradeTarget } = versions;
    const own = minorOf(this.#node.serverVersion);
    if (downgradeTarget === undefined && cluster === own) return true;
    const known = await this.#askAll();
    const isPatient = this.#node.clock.monotonicMs() - this.#ledSinceMs < this.#checkMs;
    if (known.includes(undefined)) {
      if (cluster !== undefined) return true;
      if (isPatient) return false;
    }
    const lowest = known
      .map((version) => version ?? MIN_CLUSTER_VERSION)
      .reduce((a, b) => (compareMinors(a, b) < 0 ? a : b));
    if (downgradeTarget !== undefined && known.every((version) => version === downgradeTarget)) {
      this.#node.log.info('the cluster has been downgraded', {
        'cluster-version': downgradeTarget,
      });
      await this.#node.propose({ kind: 'setDowngrade', target: '' });
    }
    // An older member, that has joined and does not know yet what it joined, takes nobody down with it.
    const isLower = cluster !== undefined && compareMinors(lowest, cluster) < 0;
    await this.#set(downgradeTarget ?? (isLower ? cluster : lowest), cluster);
    return true;
  }

  async #set(version: string, before: string | undefined): Promise<void> {
    if (version === before) return;
    await this.#node.propose(
      { kind: 'setClusterVersion', version },
      { signal: this.#ending.signal },
    );
    const fields = { 'cluster-id': this.#node.clusterId, 'local-member-id': this.#node.memberId };
    if (before === undefined) {
      this.#node.log.info('set initial cluster version', { ...fields, 'cluster-version': version });
    } else {
      this.#node.log.info('updated cluster version', { ...fields, from: before, to: version });
    }
  }

  /** Minor versions of all members, this one first; undefined: no answer. */
  #askAll(): Promise<readonly (string | undefined)[]> {
    const { memberId: self, serverVersion, state } = this.#node;
    const others = state.membership.members().filter(({ id }) => id !== self);
    return Promise.all([
      Promise.resolve(minorOf(serverVersion)),
      ...others.map(({ id }) => this.#ask(id)),
    ]);
  }

  async #ask(id: bigint): Promise<string | undefined> {
    try {
      const { signal } = this.#ending;
      const answer = await this.#node.callMember(
        memberId(id),
        MEMBER_VERSION,
        new Uint8Array(0),
        signal,
      );
      return minorOf(fromUtf8(answer));
    } catch (error) {
      this.#node.log.debug('failed to get version', { 'remote-member-id': id, error });
      return undefined;
    }
  }
}
