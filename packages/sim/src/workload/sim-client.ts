/**
 * A client that works off its planned steps, one after another: what it does, and what it remembers to do it well.
 *
 * Every value that it writes is unique in the run, so that whoever reads one knows who wrote it.
 */
import { fromUtf8, utf8 } from '@etcd-ts/base';
import type { TxnRequest } from '@etcd-ts/mvcc';
import type { CacheRecord } from '../checkers/cache.ts';
import type { LockHold } from '../checkers/lock.ts';
import type { Operation, OperationOutcome, OperationRequest } from '../history/operation.ts';
import { responseRevision } from '../history/operation.ts';
import type { PlannedClient, PlannedStep } from '../plan/plan.ts';
import type { RecordedConnection } from './connection.ts';
import { auditStep, moveStep } from './bank-step.ts';
import { Informer } from './informer.ts';
import type { LibraryClient } from './library-client.ts';
import { listStep } from './list-step.ts';
import { lockStep } from './lock-step.ts';
import { keyName, type Known, leaseName, requestOf } from './requests.ts';
import { addStep, readSetStep } from './set-step.ts';
import { tenantStep, Tokens } from './tenant-step.ts';
import { type TenantWatches, tenantWatchStep } from './tenant-watch.ts';
import { compareMod, putOp, rangeOp } from './txn-parts.ts';
import type { WatchStream } from './watch-stream.ts';
import { KEY_PREFIX, KEY_PREFIX_END } from './requests.ts';
import { rangeRequest } from './wire.ts';

/** Items that a list keeps; the oldest goes for a further one. */
const MAX_LIST_ITEMS = 20;

/** What a client needs of the simulation. */
export interface SimClientParts {
  readonly plan: PlannedClient;
  readonly nowMs: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** The connection in use now. */
  readonly connection: () => RecordedConnection;
  /** Connects to another member; none: to the next one. */
  readonly move: (member?: number) => void;
  readonly watches: WatchStream;
  readonly tenantWatches: TenantWatches;
  readonly library: LibraryClient;
  readonly notes: Notes;
}

/** What clients write down beside the history of their calls. */
export interface Notes {
  readonly holds: LockHold[];
  readonly caches: CacheRecord[];
  readonly libraries: LibraryClient[];
  /** Keys that members write in their callers' names. */
  readonly served: Set<string>;
  /** Turns in queues that members waited in. */
  readonly servedTurns: ('lock' | 'elect')[];
}

/** One client at work. */
export class SimClient {
  readonly #parts: SimClientParts;
  /** The newest revision seen anywhere. */
  #revision = 1;
  /** The last modification seen of each key. */
  readonly #lastMod = new Map<string, number>();
  readonly #leases: bigint[] = [];
  /** Of the tenants in whose name it works. */
  readonly tokens: Tokens = new Tokens();
  #nextValue = 0;
  #nextLease = 0;
  #informer: Informer | undefined;
  #isStopped = false;
  #failuresInARow = 0;

  constructor(parts: SimClientParts) {
    this.#parts = parts;
  }

  /** Works off all steps whose time comes before it is stopped. */
  async run(): Promise<void> {
    for (const step of this.#parts.plan.steps) {
      const waitMs = step.atMs - this.#parts.nowMs();
      if (waitMs > 0) await this.#parts.sleep(waitMs);
      if (this.#isStopped) return;
      await this.#do(step);
    }
  }

  /** Begins nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Ends all its watches for good. */
  closeWatches(): void {
    this.#parts.watches.close();
    this.#parts.tenantWatches.close();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Sends a request, remembers what its answer shows, and looks for another member after failures. */
  async call(
    request: OperationRequest,
    cancelled?: AbortSignal,
    caller?: Operation['caller'],
  ): Promise<OperationOutcome> {
    const { timeoutMs } = this.#parts.plan;
    const outcome = await this.#parts.connection().call(request, timeoutMs, cancelled, caller);
    if (outcome.kind === 'ok') {
      this.#failuresInARow = 0;
      this.#learn(outcome);
    } else if (outcome.kind === 'unknown' || outcome.code === 'UNAVAILABLE') {
      this.#failuresInARow++;
      if (this.#failuresInARow % 3 === 0) this.#parts.move();
      if (outcome.code === 'UNAVAILABLE') await this.#parts.sleep(50);
    }
    return outcome;
  }

  /** A value that nobody else writes. */
  uniqueValue(): Uint8Array {
    return utf8(`c${this.#parts.plan.id}-${this.nextNumber()}`);
  }

  /** A number that this client has not used before. */
  nextNumber(): number {
    return this.#nextValue++;
  }

  /** A lease id that nobody else asks for. */
  uniqueLease(): bigint {
    return leaseName(this.#parts.plan.id, ++this.#nextLease);
  }

  get parts(): SimClientParts {
    return this.#parts;
  }

  async #do(step: PlannedStep): Promise<void> {
    switch (step.do) {
      case 'watch':
        return this.#watch(step);
      case 'progress':
        return this.#parts.watches.progress();
      case 'move':
        this.#parts.move(step.member);
        return this.#parts.watches.reconnect();
      case 'lock':
      case 'elect':
        return lockStep(this, step);
      case 'append':
        return this.#append(step.key);
      case 'grant':
        return this.#grant(step.ttlSeconds);
      case 'moveMoney':
        return moveStep(this, step);
      case 'audit':
        return auditStep(this, step.stale);
      case 'add':
        return addStep(this);
      case 'readSet':
        return readSetStep(this);
      case 'appendAll':
        return listStep(this, step);
      case 'informer':
        this.#informer ??= new Informer(this);
        return undefined;
      case 'reconcile':
        return this.#reconcile(keyName(step.key));
      case 'cancel':
        return this.#cancel(keyName(step.key), step.afterMs);
      case 'tenant':
        await tenantStep(this, step, this.#known());
        return undefined;
      case 'tenantWatch':
        return tenantWatchStep(this, step, this.#startRevision(step.back));
      case 'stall':
        return this.#parts.watches.stall(step.forMs);
      case 'library': {
        const { library, plan } = this.#parts;
        const key = step.what === 'claim' ? `claim/${step.key}` : keyName(step.key);
        await library.call(step.what, key, this.uniqueValue(), plan.timeoutMs);
        return undefined;
      }
      default: {
        const request = requestOf(this.#known(), step);
        if (request !== undefined) await this.call(request);
      }
    }
  }

  #known(): Known {
    return {
      revision: this.#revision,
      leases: this.#leases,
      lastMod: (key) => this.#lastMod.get(key) ?? 0,
      uniqueValue: () => this.uniqueValue(),
    };
  }

  /** Writes over what its cache shows, as a controller does; somebody faster makes it fail. */
  async #reconcile(key: string): Promise<void> {
    const modRevision = this.#informer?.modRevision(key) ?? this.#lastMod.get(key) ?? 0;
    const request: TxnRequest = {
      compare: [compareMod(key, modRevision)],
      success: [putOp(key, this.uniqueValue())],
      failure: [rangeOp(key)],
    };
    await this.call({ kind: 'txn', request });
  }

  /** Asks for a write and thinks better of it. */
  async #cancel(key: string, afterMs: number): Promise<void> {
    const controller = new AbortController();
    void this.#parts.sleep(afterMs).then(() => controller.abort());
    const flags = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
    const request = { key: utf8(key), value: this.uniqueValue(), ...flags };
    await this.call({ kind: 'put', request }, controller.signal);
  }

  /** Reads the list, then writes it with one item more, unless somebody was faster. */
  async #append(keyNumber: number): Promise<void> {
    const key = keyName(keyNumber);
    const read = await this.call({ kind: 'range', request: rangeRequest(key) });
    if (read.kind !== 'ok' || read.response.kind !== 'range') return;
    const [kv] = read.response.result.kvs;
    const items = kv === undefined ? [] : fromUtf8(kv.value).split(' ');
    const value = utf8([...items, fromUtf8(this.uniqueValue())].slice(-MAX_LIST_ITEMS).join(' '));
    const request: TxnRequest = {
      compare: [compareMod(key, kv?.modRevision ?? 0)],
      success: [putOp(key, value)],
      failure: [rangeOp(key)],
    };
    await this.call({ kind: 'txn', request });
  }

  async #grant(ttlSeconds: number): Promise<void> {
    const id = this.uniqueLease();
    const outcome = await this.call({ kind: 'leaseGrant', id, ttlSeconds });
    if (outcome.kind !== 'failed') this.#leases.push(id);
    if (this.#leases.length > 3) this.#leases.shift();
  }

  #watch(step: PlannedStep & { do: 'watch' }): void {
    const whole = step.key < 0;
    this.#parts.watches.open({
      key: whole ? KEY_PREFIX : keyName(step.key),
      rangeEnd: whole ? KEY_PREFIX_END : '',
      startRevision: this.#startRevision(step.back),
      prevKv: step.prevKv,
      noPut: step.noPut,
      noDelete: step.noDelete,
    });
  }

  /** So far behind the newest revision seen; 0: from now on. */
  #startRevision(back: number): number {
    return back === 0 ? 0 : Math.max(1, this.#revision - back);
  }

  #learn(outcome: OperationOutcome & { kind: 'ok' }): void {
    const { response } = outcome;
    this.#revision = Math.max(this.#revision, responseRevision(response));
    if (response.kind === 'range') {
      for (const kv of response.result.kvs) this.#lastMod.set(fromUtf8(kv.key), kv.modRevision);
    } else if (response.kind === 'txn') {
      for (const each of response.result.responses) {
        if (each.$case !== 'responseRange') continue;
        for (const kv of each.value.kvs) this.#lastMod.set(fromUtf8(kv.key), kv.modRevision);
      }
    }
  }
}
