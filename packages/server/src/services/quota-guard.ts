/**
 * The backend's quota, looked at before a request is proposed (etcd server/etcdserver/api/v3rpc/quota.go).
 *
 * Each member looks at its own database, so the outcome may differ from member to member; that is why it is judged here
 * and never while applying. The first refusal raises the NOSPACE alarm through the log, and from then on every member
 * refuses alike.
 */
import { AlarmAction, AlarmType, EtcdError } from '@etcd-ts/protocol';
import { quotaBytes } from '../apply/quota.ts';
import type { NodePort } from '../node-port.ts';

/** Refuses what the database of this member has no room for. */
export class QuotaGuard {
  readonly #node: NodePort;
  readonly #quotaBytes: number;

  constructor(node: NodePort) {
    this.#node = node;
    this.#quotaBytes = quotaBytes(node.limits.quotaBackendBytes);
  }

  /** The quota in force; Infinity for none. */
  get limitBytes(): number {
    return this.#quotaBytes;
  }

  /** Whether a request of this cost fits. A request that costs nothing always does. */
  fits(costBytes: number): boolean {
    return costBytes === 0 || this.#node.state.store.sizeBytes + costBytes < this.#quotaBytes;
  }

  /**
   * Raises the alarm, and answers the refusal.
   *
   * @throws EtcdError what kept the alarm from being raised (TIMEOUT, NO_LEADER …).
   */
  async refuse(costBytes: number): Promise<EtcdError> {
    await this.#node.propose({
      kind: 'alarm',
      request: {
        action: AlarmAction.ACTIVATE,
        memberID: this.#node.memberId,
        alarm: AlarmType.NOSPACE,
      },
    });
    const { sizeBytes } = this.#node.state.store;
    return new EtcdError('NO_SPACE', {
      mayHaveApplied: false,
      detail: `${sizeBytes} bytes and ${costBytes} more, quota ${this.#quotaBytes}`,
    });
  }
}
