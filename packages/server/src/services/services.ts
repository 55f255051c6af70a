/** All services of a node, as the listeners and the other members call them, and what works for them unseen. */
import {
  EtcdError,
  type Handlers,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import { clusterHandlers } from './cluster.ts';
import { CompactionDriver } from './compaction-driver.ts';
import { guarded } from './guards.ts';
import { kvHandlers } from './kv.ts';
import { keepAlive, leaseHandlers, type LeaseParts, timeToLive } from './lease.ts';
import { LeaseIds } from './lease-ids.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { maintenanceHandlers } from './maintenance.ts';
import { QuotaGuard } from './quota-guard.ts';
import { CatchUp } from './watch/catch-up.ts';
import { watchHandlers } from './watch/watch.ts';

/** What a node serves, and what works for its services behind the scenes. */
export class Services {
  /** For the listeners. */
  readonly handlers: Handlers;
  readonly #lease: LeaseParts;
  readonly #compaction: CompactionDriver;
  readonly #catchUp: CatchUp;

  /** Begins at once: leases are watched over, an unfinished compaction goes on. */
  constructor(node: NodePort) {
    const quota = new QuotaGuard(node);
    this.#compaction = new CompactionDriver(node);
    this.#catchUp = new CatchUp(node);
    this.#lease = {
      node,
      quota,
      keeper: new LeaseKeeper(node),
      ids: new LeaseIds(node.memberId, node.clock),
    };
    this.handlers = guarded(node, {
      ...kvHandlers({ node, quota, compaction: this.#compaction }),
      ...watchHandlers(node, this.#catchUp),
      ...leaseHandlers(this.#lease),
      ...clusterHandlers(node),
      ...maintenanceHandlers(node, quota),
    });
  }

  /**
   * Answers what another member asks of this one as the leader ({@link NodePort.callLeader}).
   *
   * @throws EtcdError NOT_LEADER where this member does not lead; UNIMPLEMENTED for a method that is not asked of
   *   leaders.
   */
  async answerMember(
    method: string,
    request: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    if (!this.#lease.node.status().isLeader) throw new EtcdError('NOT_LEADER');
    switch (method) {
      case 'etcdserverpb.Lease/LeaseKeepAlive': {
        const asked = LeaseKeepAliveRequest.decode(request);
        return LeaseKeepAliveResponse.encode(await keepAlive(this.#lease, asked, signal));
      }
      case 'etcdserverpb.Lease/LeaseTimeToLive': {
        const asked = LeaseTimeToLiveRequest.decode(request);
        return LeaseTimeToLiveResponse.encode(await timeToLive(this.#lease, asked, signal));
      }
      default:
        throw new EtcdError('UNIMPLEMENTED', { message: `no member answers ${method}` });
    }
  }

  /** Ends what works behind the scenes. Streams end when their listeners do. */
  stop(): void {
    this.#lease.keeper.stop();
    this.#compaction.stop();
    this.#catchUp.stop();
  }
}
