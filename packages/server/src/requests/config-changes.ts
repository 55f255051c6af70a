/**
 * Membership changes of this node's callers. A change is done when its entry is applied here.
 *
 * Unlike commands they are never handed over twice: the caller decides, with the newest membership before its eyes.
 */
import { type Deferred, deferred } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { ConfigChange, LogIndex, NodeId, Outcome } from '@etcd-ts/raft';
import type { Consensus } from '../consensus/consensus.ts';
import type { ServerLimits } from '../limits.ts';
import { abortError } from './abort.ts';
import type { Deadlines, Expiring } from './deadlines.ts';
import type { Tokens } from './tokens.ts';

/** Changes and transfers that may wait at one time; Raft takes one change at a time anyway. */
export const MAX_PENDING_CHANGES = 64;

/** What the changes are made of. */
export interface ConfigChangeParts {
  readonly consensus: Pick<Consensus, 'changeConfig' | 'status' | 'transferLeadership'>;
  readonly deadlines: Deadlines;
  readonly tokens: Tokens;
  readonly limits: ServerLimits;
  readonly appliedIndex: () => LogIndex;
}

class Pending implements Expiring {
  readonly done: Deferred<void> = deferred();
  readonly kind: 'change' | 'transfer';
  /** Known once it is committed. */
  index: LogIndex | undefined;
  mayHaveApplied = false;
  onAbort: (() => void) | undefined;
  readonly #onExpire: () => void;

  constructor(kind: 'change' | 'transfer', onExpire: () => void) {
    this.kind = kind;
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire();
  }
}

/** Membership changes and leadership transfers of one node. */
export class ConfigChanges {
  readonly #parts: ConfigChangeParts;
  readonly #pending = new Map<number, Pending>();
  #stopped = false;

  constructor(parts: ConfigChangeParts) {
    this.#parts = parts;
  }

  /** See NodePort.changeMembers. */
  change(change: ConfigChange, signal?: AbortSignal): Promise<void> {
    const { consensus, limits } = this.#parts;
    // What it was judged by is right only as long as this node leads.
    const { role, term } = consensus.status();
    if (role !== 'leader') {
      return Promise.reject(new EtcdError('NOT_LEADER', { mayHaveApplied: false }));
    }
    return this.#begin('change', limits.requestTimeoutMs, signal, (token) =>
      consensus.changeConfig(token, change, term),
    );
  }

  /** See NodePort.transferLeadership. */
  transfer(target: NodeId, signal?: AbortSignal): Promise<void> {
    const { consensus, limits } = this.#parts;
    return this.#begin('transfer', limits.requestTimeoutMs, signal, (token) =>
      consensus.transferLeadership(token, target),
    );
  }

  /** What the engine says. Unknown tokens are passed over. */
  outcome(token: number, outcome: Outcome): void {
    const pending = this.#pending.get(token);
    if (pending === undefined) return;
    switch (outcome.kind) {
      case 'accepted':
        pending.mayHaveApplied = true;
        return;
      case 'committed':
        pending.index = outcome.index;
        if (outcome.index <= this.#parts.appliedIndex()) this.#end(token, pending);
        return;
      case 'transferred':
        return this.#end(token, pending);
      case 'lost':
        return this.#end(
          token,
          pending,
          new EtcdError('LEADER_CHANGED', { mayHaveApplied: false }),
        );
      case 'unknown':
        return this.#end(token, pending, new EtcdError('TIMEOUT_DUE_TO_LEADER_FAIL'));
      case 'refused':
        return this.#end(token, pending, refusalError(pending.kind, outcome));
      case 'readable':
        return;
    }
  }

  /** The membership entry at this index was applied. */
  applied(index: LogIndex): void {
    for (const [token, pending] of this.#pending) {
      if (pending.index !== undefined && pending.index <= index) this.#end(token, pending);
    }
  }

  /** The node ends: every caller is told, and later ones are refused. */
  stop(): void {
    this.#stopped = true;
    for (const [token, pending] of this.#pending) {
      const { mayHaveApplied } = pending;
      this.#end(token, pending, new EtcdError('STOPPED', { mayHaveApplied }));
    }
  }

  #begin(
    kind: 'change' | 'transfer',
    timeoutMs: number,
    signal: AbortSignal | undefined,
    ask: (token: number) => void,
  ): Promise<void> {
    if (this.#stopped) return Promise.reject(new EtcdError('STOPPED', { mayHaveApplied: false }));
    if (signal?.aborted === true) return Promise.reject(abortError(signal, false));
    if (this.#pending.size >= MAX_PENDING_CHANGES) {
      const detail = `${this.#pending.size} changes wait, the limit is ${MAX_PENDING_CHANGES}`;
      return Promise.reject(new EtcdError('TOO_MANY_REQUESTS', { detail }));
    }
    const token = this.#parts.tokens.next();
    const late = kind === 'change' ? 'TIMEOUT' : 'TIMEOUT_LEADER_TRANSFER';
    const pending = new Pending(kind, () => this.#end(token, pending, new EtcdError(late)));
    this.#pending.set(token, pending);
    this.#parts.deadlines.add(pending, timeoutMs);
    if (signal !== undefined) {
      const abort = (): void => this.#end(token, pending, abortError(signal, true));
      signal.addEventListener('abort', abort, { once: true });
      pending.onAbort = () => signal.removeEventListener('abort', abort);
    }
    ask(token);
    return pending.done.promise;
  }

  #end(token: number, pending: Pending, error?: EtcdError): void {
    this.#pending.delete(token);
    this.#parts.deadlines.remove(pending);
    pending.onAbort?.();
    if (error === undefined) pending.done.resolve();
    else pending.done.reject(error);
  }
}

/** Why the engine refused, as what etcd's callers are told. */
function refusalError(
  kind: 'change' | 'transfer',
  refused: Outcome & { kind: 'refused' },
): EtcdError {
  const detail = refused.detail ?? refused.reason;
  switch (refused.reason) {
    case 'noLeader':
      return new EtcdError('NO_LEADER', { detail });
    case 'notLeader':
      return new EtcdError('NOT_LEADER', { detail });
    case 'stopped':
      return new EtcdError('STOPPED', { detail, mayHaveApplied: false });
    case 'timedOut':
      return new EtcdError('TIMEOUT_LEADER_TRANSFER', { detail });
    case 'notMember':
      return new EtcdError(kind === 'transfer' ? 'BAD_LEADER_TRANSFEREE' : 'MEMBER_NOT_FOUND', {
        detail,
      });
    case 'transferring':
    case 'full':
    case 'changePending':
      return new EtcdError('TOO_MANY_REQUESTS', { detail });
    case 'changeIllegal':
      return new EtcdError('FAILED_PRECONDITION', { message: `etcdserver: ${detail}`, detail });
  }
}
