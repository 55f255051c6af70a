/**
 * The refreshes of all leases of a client on one stream.
 *
 * What always holds
 * - While there are keepers there is a stream, or one is about to be opened; without keepers there is none.
 * - A broken stream loses no lease: the next one refreshes all of them at once. A lease is lost only by its own clock
 *   or by the server's word.
 * - An answer counts for the keeper that asked: what a keeper has asked for and not waited for is passed over, lest a
 *   later keeper of the same lease takes an old answer for its own.
 */
import {
  EtcdError,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  Status,
  type StreamCall,
} from '@etcd-ts/protocol';
import { backoffMs, sleep } from '../backoff.ts';
import type { Caller, OpenedStream } from '../caller.ts';
import { LeaseKeeper } from './lease-keeper.ts';

type KeepAliveCall = StreamCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** Leases that one client keeps; one more fails with RESOURCE_EXHAUSTED. */
export const MAX_KEPT_LEASES = 1_000_000;

/** Asks for an end of the stream when the member has no leader: it could not refresh anything. */
const REQUIRE_LEADER: ReadonlyMap<string, string> = new Map([['hasleader', 'true']]);

/** Keeps the leases of one client. */
export class KeepAliveHub {
  readonly #caller: Caller;
  readonly #keepers = new Map<bigint, LeaseKeeper>();
  /** Answers of the current stream that nobody waits for any more, by lease. */
  readonly #unwanted = new Map<bigint, number>();
  #call: KeepAliveCall | undefined;
  #isRunning = false;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Keeps a lease. One that is kept already keeps its keeper.
   *
   * @throws EtcdError RESOURCE_EXHAUSTED beyond {@link MAX_KEPT_LEASES}.
   */
  keep(lease: {
    readonly id: bigint;
    readonly ttlSeconds: number;
    readonly refreshedMs: number;
  }): LeaseKeeper {
    const known = this.#keepers.get(lease.id);
    if (known !== undefined) return known;
    if (this.#keepers.size >= MAX_KEPT_LEASES) {
      throw new EtcdError('RESOURCE_EXHAUSTED', {
        message: `too many kept leases: ${this.#keepers.size} (limit ${MAX_KEPT_LEASES})`,
      });
    }
    const keeper: LeaseKeeper = new LeaseKeeper({
      ...lease,
      clock: this.#caller.clock,
      send: () => this.#call?.send({ ID: lease.id }),
      onEnd: () => this.#remove(keeper),
    });
    this.#keepers.set(lease.id, keeper);
    keeper.start();
    this.#start();
    return keeper;
  }

  /** Stops all keepers. Their leases live on until their time has passed. */
  close(): void {
    for (const keeper of this.#keepers.values()) keeper.stop();
  }

  #remove({ id, unanswered }: LeaseKeeper): void {
    this.#keepers.delete(id);
    if (this.#call === undefined) return;
    if (this.#keepers.size === 0) this.#leave(this.#call);
    else if (unanswered > 0) this.#unwanted.set(id, this.#unwantedOf(id) + unanswered);
  }

  #onAnswer({ ID, TTL }: LeaseKeepAliveResponse): void {
    const unwanted = this.#unwantedOf(ID);
    if (unwanted === 0) this.#keepers.get(ID)?.onAnswer(TTL);
    else if (unwanted === 1) this.#unwanted.delete(ID);
    else this.#unwanted.set(ID, unwanted - 1);
  }

  #unwantedOf(id: bigint): number {
    return this.#unwanted.get(id) ?? 0;
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Keeps a stream open for as long as there are keepers. Never rejects. */
  async #run(): Promise<void> {
    let failures = 0;
    while (this.#keepers.size > 0) {
      const error = await this.#runStream(() => {
        failures = 0;
      });
      this.#call = undefined;
      this.#unwanted.clear();
      for (const keeper of this.#keepers.values()) keeper.onBroken();
      if (error === undefined) continue;
      if (isFatal(error)) {
        for (const keeper of this.#keepers.values()) keeper.lose(error);
        break;
      }
      failures++;
      await sleep(this.#caller.clock, backoffMs(failures, this.#caller.random));
    }
    this.#isRunning = false;
  }

  /** One stream from its opening to its end; returns why it broke, or undefined when it was no longer needed. */
  async #runStream(onResponse: () => void): Promise<EtcdError | undefined> {
    let opened: OpenedStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> | undefined;
    let error: EtcdError;
    try {
      opened = await this.#caller.stream('etcdserverpb.Lease/LeaseKeepAlive', {
        metadata: REQUIRE_LEADER,
      });
      const { call } = opened;
      this.#call = call;
      for (const keeper of this.#keepers.values()) {
        keeper.onBroken();
        keeper.onConnected();
      }
      if (this.#keepers.size === 0) this.#leave(call);
      for await (const response of call.responses) {
        onResponse();
        this.#onAnswer(response);
      }
      error = new EtcdError('UNAVAILABLE', { message: 'the keep-alive stream has ended' });
    } catch (thrown) {
      error = EtcdError.from(thrown);
    }
    if (opened !== undefined && this.#call !== opened.call) return undefined;
    opened?.failed(error);
    return error;
  }

  #leave(call: KeepAliveCall): void {
    this.#call = undefined;
    call.cancel();
  }
}

/** Errors that another stream would meet again: the caller may not, or the server cannot. */
function isFatal(error: EtcdError): boolean {
  return (
    error.code === 'PERMISSION_DENIED' ||
    error.code === 'AUTH_FAILED' ||
    error.code === 'USER_EMPTY' ||
    error.status === Status.UNIMPLEMENTED ||
    (error.status === Status.CANCELED && !error.mayHaveApplied)
  );
}
