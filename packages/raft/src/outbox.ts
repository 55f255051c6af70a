import type {
  ConfigEffect,
  NoticeEffect,
  Outcome,
  OutcomeEffect,
  SendSnapshotEffect,
} from './effect.ts';
import type { LogIndex, NodeId, Token } from './entry.ts';
import type { Message } from './message.ts';

/**
 * What the steps of one call have produced so far; draining turns it into effects.
 *
 * Invariant: empty between two calls.
 */
export class Outbox {
  /** Messages that may leave at once. */
  immediate: Message[] = [];
  /** Messages that claim something to be durable. */
  dependent: Message[] = [];
  outcomes: OutcomeEffect[] = [];
  notices: NoticeEffect[] = [];
  configs: ConfigEffect[] = [];
  snapshots: SendSnapshotEffect[] = [];
  /** The node asked itself for a vote. */
  ownVote = false;

  /** True when there is nothing for anybody. Messages that wait for the disk are the persist effect's. */
  get isEmpty(): boolean {
    return (
      this.immediate.length === 0 &&
      this.outcomes.length === 0 &&
      this.notices.length === 0 &&
      this.configs.length === 0 &&
      this.snapshots.length === 0
    );
  }

  report(token: Token, outcome: Outcome): void {
    this.outcomes.push({ type: 'outcome', token, outcome });
  }

  notice(code: NoticeEffect['code'], peer: NodeId, detail: string): void {
    this.notices.push({ type: 'notice', code, peer, detail });
  }

  /** Begins anew: what was handed out keeps its lists. */
  clear(): void {
    if (this.immediate.length > 0) this.immediate = [];
    if (this.dependent.length > 0) this.dependent = [];
    if (this.outcomes.length > 0) this.outcomes = [];
    if (this.notices.length > 0) this.notices = [];
    if (this.configs.length > 0) this.configs = [];
    if (this.snapshots.length > 0) this.snapshots = [];
    this.ownVote = false;
  }

  /** Entries after `index` were cut off before they were ever written: nothing may claim to hold them. */
  withdrawAcknowledgementsAfter(index: LogIndex): void {
    if (this.dependent.length === 0) return;
    this.dependent = this.dependent.filter(
      (message) => message.type !== 'appendResponse' || message.rejected || message.index <= index,
    );
  }
}
