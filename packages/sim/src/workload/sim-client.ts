/**
 * A client that works off its planned steps, one after another: what it does, and what it remembers to do it well.
 *
 * Every value that it writes is unique in the run, so that whoever reads one knows who wrote it.
 */
import { EMPTY_BYTES, fromUtf8, utf8 } from '@etcd-ts/base';
import type { RequestOp, TxnRequest } from '@etcd-ts/mvcc';
import type { LockHold } from '../checkers/lock.ts';
import type { OperationOutcome, OperationRequest } from '../history/operation.ts';
import { responseRevision } from '../history/operation.ts';
import type { PlannedClient, PlannedStep } from '../plan/plan.ts';
import type { RecordedConnection } from './connection.ts';
import { compareCreate, compareMod, putOp, rangeOp } from './txn-parts.ts';
import { lockStep } from './lock-step.ts';
import type { WatchStream } from './watch-stream.ts';
import { rangeRequest } from './wire.ts';

/** Every data key begins with it. */
export const KEY_PREFIX = 'key/';
/** The end of all data keys. */
export const KEY_PREFIX_END = 'key0';
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
  readonly holds: LockHold[];
}

/** One client at work. */
export class SimClient {
  readonly #parts: SimClientParts;
  /** The newest revision seen anywhere. */
  #revision = 1;
  /** The last modification seen of each key. */
  readonly #lastMod = new Map<string, number>();
  readonly #leases: bigint[] = [];
  #nextValue = 0;
  #nextLease = 0;
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

  /** Sends a request, remembers what its answer shows, and looks for another member after failures. */
  async call(request: OperationRequest): Promise<OperationOutcome> {
    const outcome = await this.#parts.connection().call(request, this.#parts.plan.timeoutMs);
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
    return utf8(`c${this.#parts.plan.id}-${this.#nextValue++}`);
  }

  /** A lease id that nobody else asks for. */
  uniqueLease(): bigint {
    return BigInt(this.#parts.plan.id) * 1_000_000n + BigInt(++this.#nextLease);
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
        return lockStep(this, step);
      case 'append':
        return this.#append(step.key);
      case 'grant':
        return this.#grant(step.ttlSeconds);
      default: {
        const request = this.#request(step);
        if (request !== undefined) await this.call(request);
      }
    }
  }

  #request(
    step: Exclude<PlannedStep, { do: 'watch' | 'progress' | 'move' | 'lock' | 'append' | 'grant' }>,
  ): OperationRequest | undefined {
    switch (step.do) {
      case 'get':
        return {
          kind: 'range',
          request: rangeRequest(keyName(step.key), { serializable: step.stale }),
        };
      case 'list': {
        const revision = step.back > 0 ? Math.max(1, this.#revision - step.back) : 0;
        const { limit, stale: serializable } = step;
        const more = { rangeEnd: utf8(KEY_PREFIX_END), limit, revision, serializable };
        return { kind: 'range', request: rangeRequest(KEY_PREFIX, more) };
      }
      case 'put':
        return this.#put(keyName(step.key), step.leased ? (this.#leases.at(-1) ?? 0n) : 0n);
      case 'delete':
        return {
          kind: 'deleteRange',
          request: { key: utf8(keyName(step.key)), rangeEnd: EMPTY_BYTES, prevKv: true },
        };
      case 'deleteAll':
        return {
          kind: 'deleteRange',
          request: { key: utf8(KEY_PREFIX), rangeEnd: utf8(KEY_PREFIX_END), prevKv: false },
        };
      case 'swap':
        return { kind: 'txn', request: this.#swap(keyName(step.key), this.uniqueValue()) };
      case 'txn':
        return { kind: 'txn', request: this.#txn(step.keys.map(keyName), step.nested) };
      case 'readTxn': {
        const reads = step.keys.map((key) => rangeOp(keyName(key)));
        return { kind: 'txn', request: { compare: [], success: reads, failure: [] } };
      }
      case 'compact': {
        const revision = Math.max(1, this.#revision - step.back);
        return { kind: 'compact', revision, physical: step.physical };
      }
      case 'keepAlive':
      case 'revoke':
      case 'timeToLive':
        return this.#ofLease(step.do);
    }
  }

  #ofLease(what: 'keepAlive' | 'revoke' | 'timeToLive'): OperationRequest | undefined {
    const id = what === 'revoke' ? this.#leases.shift() : this.#leases.at(-1);
    if (id === undefined) return undefined;
    if (what === 'keepAlive') return { kind: 'leaseKeepAlive', id };
    return { kind: what === 'revoke' ? 'leaseRevoke' : 'leaseTimeToLive', id };
  }

  #put(key: string, lease: bigint): OperationRequest {
    const value = this.uniqueValue();
    const flags = { prevKv: this.#nextValue % 2 === 0, ignoreValue: false, ignoreLease: false };
    return { kind: 'put', request: { key: utf8(key), value, lease, ...flags } };
  }

  #swap(key: string, value: Uint8Array): TxnRequest {
    return {
      compare: [compareMod(key, this.#lastMod.get(key) ?? 0)],
      success: [putOp(key, value)],
      failure: [rangeOp(key)],
    };
  }

  #txn(keys: readonly string[], nested: boolean): TxnRequest {
    const puts = keys.map((key) => putOp(key, this.uniqueValue()));
    const all = rangeOp(KEY_PREFIX, { rangeEnd: utf8(KEY_PREFIX_END) });
    const [first = KEY_PREFIX] = keys;
    const inner: RequestOp = {
      request: {
        $case: 'requestTxn',
        value: {
          compare: [compareCreate(first, 0)],
          success: puts,
          failure: [...puts, rangeOp(first)],
        },
      },
    };
    return { compare: [], success: nested ? [all, inner] : [all, ...puts, all], failure: [] };
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
    const startRevision = step.back === 0 ? 0 : Math.max(1, this.#revision - step.back);
    const whole = step.key < 0;
    this.#parts.watches.open({
      key: whole ? KEY_PREFIX : keyName(step.key),
      rangeEnd: whole ? KEY_PREFIX_END : '',
      startRevision,
      prevKv: step.prevKv,
      noPut: step.noPut,
      noDelete: step.noDelete,
    });
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

function keyName(number: number): string {
  return `${KEY_PREFIX}${number}`;
}
