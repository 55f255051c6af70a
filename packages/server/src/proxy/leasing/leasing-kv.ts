/**
 * Leasing: a proxy that owns a key answers reads of it by itself, and as linearizable as the cluster would (etcd
 * client/v3/leasing). Who wants to write a key that another proxy owns asks for it first, and waits until it was given
 * up or its owner's lease has run out.
 *
 * It holds only as long as everybody who writes keys that are read through leasing proxies does so through one with the
 * same prefix. Locks, elections and leases at the cluster are no such writers: keys on a lease are never owned.
 */
import { equalBytes, toLatin1 } from '@etcd-ts/base';
import type { EtcdClient } from '@etcd-ts/client';
import {
  type CallContext,
  Compare,
  CompareResult,
  CompareTarget,
  EtcdError,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOf,
  type RequestOp,
  type ResponseOf,
  type ResponseOp,
  type TxnRequest,
  TxnRequest as TxnRequests,
  type TxnResponse,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import { overlap, textRange } from '../key-ranges.ts';
import { hasToken, type UnaryCalls } from '../upstream.ts';
import {
  createdAt,
  type KeyRange,
  LeaseKeys,
  rangeOp,
  REVOKE,
  withoutLease,
  writesOf,
} from './lease-keys.ts';
import { LeasingSession } from './leasing-session.ts';
import { type Owned, OwnedKeys } from './owned-keys.ts';

/** Whoever waits for a key to be given up looks again after so long, in milliseconds. */
const LOOK_AGAIN_MS = 1_000;

const TXN = 'etcdserverpb.KV/Txn';
const NONE = new Uint8Array(0);

/** What leasing is made of. */
export interface LeasingParts {
  /** The cluster. */
  readonly calls: UnaryCalls;
  /** The proxy's own client. */
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** Before every key. */
  readonly namespace: Uint8Array;
  /** etcd --experimental-leasing-prefix. */
  readonly prefix: Uint8Array;
}

/**
 * The calls of KV with leasing; keys are those of the cluster. Behind an AuthEnable nothing is owned any more: what is
 * answered from here is for everybody.
 */
export class LeasingKv implements UnaryCalls {
  readonly #parts: LeasingParts;
  readonly #names: LeaseKeys;
  readonly #keys: OwnedKeys;
  readonly #session: LeasingSession;

  constructor(parts: LeasingParts) {
    const { client, clock, log, namespace, prefix } = parts;
    this.#parts = parts;
    this.#names = new LeaseKeys(namespace, prefix);
    this.#keys = new OwnedKeys(() => clock.monotonicMs());
    this.#session = new LeasingSession({
      client,
      clock,
      log,
      prefix: this.#names.prefix,
      wanted: (leaseKey, event) => this.#wanted(leaseKey, event),
      gone: (leaseKey, revision) => void this.#keys.gone(this.#names.owned(leaseKey), revision),
      lost: () => this.#keys.clear(),
    });
  }

  /** Keys that are owned now. */
  get size(): number {
    return this.#keys.size;
  }

  /** Gives everything up. */
  close(): Promise<void> {
    return this.#session.close();
  }

  /** See {@link UnaryCalls.unary}. */
  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    context: CallContext,
  ): Promise<ResponseOf<Method>> {
    return this.#call(method, request, context) as Promise<ResponseOf<Method>>;
  }

  #call(method: UnaryMethodName, request: unknown, context: CallContext): Promise<unknown> {
    switch (method) {
      case 'etcdserverpb.KV/Range':
        return this.#range(request as RangeRequest, context);
      case 'etcdserverpb.KV/Put':
        return this.#put(request as PutRequest, context);
      case 'etcdserverpb.KV/DeleteRange': {
        const value = request as RequestOf<'etcdserverpb.KV/DeleteRange'>;
        return this.#write([value], { request: { $case: 'requestDeleteRange', value } }, context);
      }
      case TXN: {
        const value = request as TxnRequest;
        const writes = writesOf(value);
        if (writes.length === 0) break;
        return this.#write(writes, { request: { $case: 'requestTxn', value } }, context);
      }
      case 'etcdserverpb.Auth/AuthEnable':
        return this.#parts.calls
          .unary(method, request as never, context)
          .finally(() => this.#keys.clear());
      default:
    }
    return this.#parts.calls.unary(method, request as never, context);
  }

  #txn(request: Partial<TxnRequest>, context: CallContext): Promise<TxnResponse> {
    return this.#parts.calls.unary(TXN, TxnRequests.fromPartial(request as never), context);
  }

  async #range(request: RangeRequest, context: CallContext): Promise<RangeResponse> {
    const lease = this.#session.lease;
    // Whoever has a token gets only what the cluster says that it may see.
    const isPlain = lease !== undefined && isOfOneKey(request) && !hasToken(context);
    const owned = isPlain ? await this.#settled(request.key) : undefined;
    if (owned !== undefined) return shaped(owned.response, request);
    const { calls } = this.#parts;
    if (!isPlain || request.serializable || !this.#keys.acquire(request.key)) {
      return calls.unary('etcdserverpb.KV/Range', request, context);
    }
    return shaped(await this.#acquire(request, lease, context), request);
  }

  /**
   * What is owned of a key once no write to it is under way; nothing when the lease may have run out. Whoever is to write
   * looks again: others that waited may go first.
   */
  async #settled(key: Uint8Array): Promise<Owned | undefined> {
    let owned = this.#keys.get(key);
    while (owned?.writing !== undefined) {
      await owned.writing.promise;
      owned = this.#keys.get(key);
    }
    return this.#session.lease === undefined ? undefined : owned;
  }

  /** Reads a key, and owns it if nobody does and it is there to stay. */
  async #acquire(
    request: RangeRequest,
    lease: bigint,
    context: CallContext,
  ): Promise<RangeResponse> {
    const { key } = request;
    const leaseKey = this.#names.of(key);
    const read = rangeOp({ key, rangeEnd: NONE }, false);
    try {
      const { header, responses, succeeded } = await this.#txn(
        {
          compare: [
            createdAt({ key: leaseKey, rangeEnd: NONE }, 0),
            withoutLease(key),
            isThere(key),
          ],
          success: [read, putOp({ key: leaseKey, lease })],
          failure: [read],
        },
        context,
      );
      const response = { ...rangeOf(responses[0]), header };
      if (!succeeded) this.#keys.notAcquired(key);
      else if (!this.#keys.acquired(key, header?.revision ?? 0, response)) {
        void this.#release(leaseKey, header?.revision ?? 0);
      }
      return response;
    } catch (error) {
      // It may be owned all the same: who wants it is heard of then, too.
      this.#keys.notAcquired(key);
      if (context.signal.aborted) throw error;
      if (EtcdError.from(error).code === 'LEASE_NOT_FOUND') this.#session.unknown(lease);
      // Without a lease that lives, or room for its key, it can still be read.
      return this.#parts.calls.unary('etcdserverpb.KV/Range', request, context);
    }
  }

  /** The owner writes by itself, everybody else asks first. */
  async #put(request: PutRequest, context: CallContext): Promise<PutResponse> {
    const op: RequestOp = { request: { $case: 'requestPut', value: request } };
    const { key } = request;
    const isPlain = request.lease === 0n && !hasToken(context);
    let owned = isPlain ? await this.#settled(key) : undefined;
    while (owned?.writing !== undefined) owned = await this.#settled(key);
    if (owned !== undefined) {
      const response = await this.#putOwned(owned, op, context);
      if (response !== undefined) return response;
    }
    return this.#write([{ key, rangeEnd: NONE }], op, context);
  }

  /** @returns Undefined when the key is not owned any more, and nothing was written. */
  async #putOwned(
    owned: Owned,
    op: RequestOp,
    context: CallContext,
  ): Promise<PutResponse | undefined> {
    const { key, revision } = owned;
    const leaseKey = this.#names.of(key);
    const unlock = this.#keys.lock(owned);
    try {
      const { header, responses, succeeded } = await this.#txn(
        {
          compare: [createdAt({ key: leaseKey, rangeEnd: NONE }, revision)],
          success: [op, rangeOp({ key, rangeEnd: NONE }, false)],
        },
        context,
      );
      if (!succeeded) {
        this.#keys.evict(key);
        return undefined;
      }
      owned.response = { ...rangeOf(responses[1]), header };
      const { response } = responses[0] ?? {};
      return response?.$case === 'responsePut' ? { ...response.value, header } : undefined;
    } catch (error) {
      // Whether it was written is not known: what was read before may be old.
      this.#keys.evict(key);
      void this.#release(leaseKey, revision);
      throw error;
    } finally {
      unlock();
    }
  }

  /** Writes once nobody owns any of it; answers as the cluster would have answered the operation alone. */
  async #write<Response>(
    writes: readonly KeyRange[],
    op: RequestOp,
    context: CallContext,
  ): Promise<Response> {
    const guards = writes.map((range) => this.#names.ofRange(range));
    for (;;) {
      await this.#giveUp(writes);
      const { header, responses, succeeded } = await this.#txn(
        {
          compare: guards.map((range) => createdAt(range, 0)),
          success: [op],
          failure: guards.map((range) => rangeOp(range, false)),
        },
        context,
      );
      if (succeeded) return { ...(responses[0]?.response?.value as object), header } as Response;
      await this.#askFor(
        responses.flatMap((each) => rangeOf(each).kvs),
        context,
      );
    }
  }

  /** Asks the owners, and waits for one of them. */
  async #askFor(owners: RangeResponse['kvs'], context: CallContext): Promise<void> {
    const [first] = owners;
    if (first === undefined) return;
    const isGone = this.#session.gone(first.key, LOOK_AGAIN_MS, context.signal);
    for (const { createRevision, key, value } of owners) {
      if (equalBytes(value, REVOKE)) continue;
      const compare = [createdAt({ key, rangeEnd: NONE }, createRevision)];
      await this.#txn(
        { compare, success: [putOp({ key, value: REVOKE, ignoreLease: true })] },
        context,
      );
    }
    await isGone;
  }

  /** What is to be written is not owned here any more. */
  async #giveUp(writes: readonly KeyRange[]): Promise<void> {
    const ranges = writes.map(({ key, rangeEnd }) => textRange(key, rangeEnd));
    const owned = this.#keys.within((key) =>
      ranges.some((range) => overlap(range, { key, end: undefined })),
    );
    for (const { key, revision } of owned) {
      this.#keys.evict(key);
      await this.#release(this.#names.of(key), revision);
    }
  }

  /** Somebody wants a key: it is not read from here any more, and then its key of ownership goes. */
  #wanted(
    leaseKey: Uint8Array,
    event: { readonly revision: number; readonly lease: bigint },
  ): void {
    this.#keys.want(this.#names.owned(leaseKey), event.revision);
    if (event.lease !== this.#session.id) return;
    void this.#delete(leaseKey, {
      target: CompareTarget.MOD,
      targetUnion: { $case: 'modRevision', value: event.revision },
    });
  }

  /** Gives up a key that was acquired at a revision. */
  #release(leaseKey: Uint8Array, revision: number): Promise<void> {
    return this.#delete(leaseKey, {
      target: CompareTarget.CREATE,
      targetUnion: { $case: 'createRevision', value: revision },
    });
  }

  /** Whoever waits for it asks again when this fails. */
  async #delete(key: Uint8Array, condition: Partial<Compare>): Promise<void> {
    const compare = [
      Compare.fromPartial({ ...condition, key, result: CompareResult.EQUAL } as never),
    ];
    const value = { key, rangeEnd: NONE, prevKv: false };
    const success: RequestOp[] = [{ request: { $case: 'requestDeleteRange', value } }];
    const context = this.#ownContext();
    try {
      await this.#txn({ compare, success }, context);
    } catch (error) {
      this.#parts.log.warn('cannot give a key up', { key: toLatin1(key), error });
    }
  }

  #ownContext(): CallContext {
    const signal = AbortSignal.timeout(5_000);
    return {
      signal,
      metadata: new Map<string, string>(),
      peer: { via: 'leasing', address: '' },
    } as never;
  }
}

function isOfOneKey(request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const filters = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision];
  const isNow = request.revision <= 0 && filters.every((filter) => filter === 0);
  return isNow && request.key.length > 0 && request.rangeEnd.length === 0;
}

/** An answer to a plain read of one key as the answer to this one. */
function shaped(response: RangeResponse, { countOnly, keysOnly }: RangeRequest): RangeResponse {
  if (countOnly) return { ...response, kvs: [] };
  if (!keysOnly) return response;
  return { ...response, kvs: response.kvs.map((kv) => ({ ...kv, value: NONE })) };
}

function isThere(key: Uint8Array): Compare {
  return Compare.fromPartial({
    result: CompareResult.GREATER,
    target: CompareTarget.CREATE,
    key,
    targetUnion: { $case: 'createRevision', value: 0 },
  });
}

function putOp(put: Partial<PutRequest> & { readonly key: Uint8Array }): RequestOp {
  const empty = { value: NONE, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  return { request: { $case: 'requestPut', value: { ...empty, ...put } } };
}

const NO_RANGE: RangeResponse = { kvs: [], more: false, count: 0 };

function rangeOf(op: ResponseOp | undefined): RangeResponse {
  return op?.response?.$case === 'responseRange' ? op.response.value : NO_RANGE;
}
