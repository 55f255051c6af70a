/**
 * A client's connection to a member over the simulated network: the protocol's Channel port.
 *
 * What always holds
 * - A call whose request never left, because nobody listened, fails with `mayHaveApplied` false. When the connection
 *   breaks later, or the member dies with the call in hand, nobody knows, and the error says so.
 * - A cut link is silence: the call ends by its deadline, or when the client's own keepalive gives the connection up.
 * - A stream has a window in each direction: a client that does not read holds the member back.
 */
import { type Deferred, deferred } from '@etcd-ts/base';
import {
  type CallOptions,
  type Channel,
  EtcdError,
  MessageQueue,
  type RequestOf,
  type ResponseOf,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import type { PassPoint } from '../cluster/crash-points.ts';
import type { Cancellable, SimProcess } from '../world/process.ts';
import { CallSignal } from './call-signal.ts';
import type { LossReason, Network, ParcelStream } from './network.ts';

/** Silence after which a client gives a broken connection up. */
export const CLIENT_KEEPALIVE_TIMEOUT_US = 5_000_000;
/** Messages of a stream on their way, in one direction. */
export const STREAM_WINDOW_MESSAGES = 16;
/** Bytes that a client's message counts for on the wire; contents are small beside the delays. */
const MESSAGE_BYTES = 256;

/** Where a member serves clients: its process, and a channel to its handlers. */
export interface MemberDoor {
  readonly process: SimProcess;
  readonly channel: Channel;
  /** Told of the points at which the process may be made to end. */
  readonly pass?: PassPoint;
}

/** What a connection needs. */
export interface SimChannelOptions {
  readonly network: Network;
  /** The client's own process and address. */
  readonly process: SimProcess;
  readonly clientAddress: string;
  readonly memberAddress: string;
  /** The door that is open at the member's address now. */
  readonly door: () => MemberDoor | undefined;
}

/** One client's connection to one member. */
export class SimChannel implements Channel {
  readonly #options: SimChannelOptions;
  readonly #open = new Set<(error: EtcdError) => void>();
  #nextStream = 0;
  #isClosed = false;

  constructor(options: SimChannelOptions) {
    this.#options = options;
  }

  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const outcome = deferred<ResponseOf<Method>>();
    const call = this.#begin(options, outcome.reject);
    this.#toMember(call, undefined, (door) => {
      const { timeoutMs, metadata } = options;
      const signal = call.memberSignal;
      const forget = door.process.onKill(() => call.break());
      door.channel.unary(method, request, { signal, timeoutMs, metadata }).then(
        (response) => {
          forget();
          this.#answer(call, door, undefined, () => {
            call.end();
            outcome.resolve(response);
          });
        },
        (error: unknown) => {
          forget();
          this.#answer(call, door, undefined, () => {
            call.end();
            outcome.reject(error);
          });
        },
      );
    });
    return outcome.promise;
  }

  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const lane = `stream-${this.#nextStream++}`;
    const responses = new MessageQueue<ResponseOf<Method>>(STREAM_WINDOW_MESSAGES, () =>
      call.fail(new EtcdError('CANCELED')),
    );
    const call = this.#begin(options, (error) => responses.abort(error));
    const inner = deferred<StreamCall<RequestOf<Method>, ResponseOf<Method>>>();
    this.#toMember(call, lane, (door) => {
      const served = door.channel.stream(method, {
        signal: call.memberSignal,
        ...(options.metadata === undefined ? {} : { metadata: options.metadata }),
      });
      const forget = door.process.onKill(() => call.break());
      inner.resolve(served);
      void this.#pump(served, door, call, lane, responses).finally(forget);
    });
    const sent = new MessageQueue<RequestOf<Method>>(STREAM_WINDOW_MESSAGES);
    return {
      send: (request) => {
        this.#toMember(call, lane, () => void inner.promise.then((served) => served.send(request)));
        return !sent.isClosed;
      },
      drained: () => sent.drained(),
      end: () => {
        this.#toMember(call, lane, () => void inner.promise.then((served) => served.end()));
      },
      responses,
      cancel: () => call.fail(new EtcdError('CANCELED')),
    };
  }

  /** The connection goes away under everything that is under way: nobody knows what became of it. */
  reset(): void {
    const reason = new EtcdError('UNAVAILABLE', {
      message: 'connection reset',
      mayHaveApplied: true,
    });
    for (const fail of this.#open) fail(reason);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    const reason = new EtcdError('CANCELED', { message: 'the channel is closed' });
    const open = [...this.#open];
    for (const fail of open) fail(reason);
    return Promise.resolve();
  }

  /** Carries the member's responses to the client, as many at a time as the window allows. */
  async #pump<Response>(
    served: StreamCall<unknown, Response>,
    door: MemberDoor,
    call: OpenCall,
    lane: string,
    responses: MessageQueue<Response>,
  ): Promise<void> {
    let inFlight = 0;
    let room: Deferred<void> | undefined;
    const arrived = (response: Response): void => {
      responses.push(response);
      void responses.drained().then(() => {
        inFlight--;
        room?.resolve();
        room = undefined;
      });
    };
    try {
      for await (const response of served.responses) {
        if (call.isOver) return;
        inFlight++;
        this.#answer(call, door, lane, () => arrived(response));
        while (inFlight >= STREAM_WINDOW_MESSAGES && !call.isOver) {
          room = deferred();
          await room.promise;
        }
      }
      this.#answer(call, door, lane, () => responses.end());
    } catch (error) {
      this.#answer(call, door, lane, () => responses.end(error));
    }
  }

  #begin(options: CallOptions, reject: (error: EtcdError) => void): OpenCall {
    const call = new OpenCall(this.#options.process, options, (error) => {
      this.#open.delete(call.fail);
      reject(error);
    });
    call.onEnd = () => this.#open.delete(call.fail);
    this.#open.add(call.fail);
    if (this.#isClosed) {
      call.fail(new EtcdError('CANCELED', { message: 'the channel is closed' }));
    }
    return call;
  }

  #toMember(call: OpenCall, lane: string | undefined, deliver: (door: MemberDoor) => void): void {
    const { network, clientAddress, memberAddress, door } = this.#options;
    if (call.isOver) return;
    network.send({
      from: clientAddress,
      to: memberAddress,
      lane,
      stream: call.stream,
      sizeBytes: MESSAGE_BYTES,
      onLost: (reason) => call.lost(reason),
      deliver: () => {
        const open = door();
        if (open === undefined) call.lost('refused');
        else if (!call.isOver) deliver(open);
      },
    });
  }

  /** The member answers, unless it ends just before. */
  #answer(call: OpenCall, door: MemberDoor, lane: string | undefined, deliver: () => void): void {
    door.pass?.('answer');
    if (!door.process.isAlive) return;
    this.#toClient(call, lane, deliver);
    door.pass?.('answered');
  }

  #toClient(call: OpenCall, lane: string | undefined, deliver: () => void): void {
    const { network, clientAddress, memberAddress } = this.#options;
    network.send({
      from: memberAddress,
      to: clientAddress,
      lane,
      stream: call.stream,
      sizeBytes: MESSAGE_BYTES,
      onLost: () => call.lost('broken'),
      deliver: () => {
        if (!call.isOver) deliver();
      },
    });
  }
}

/** A call between its beginning and its end, as the client's side knows it. */
class OpenCall {
  readonly #process: SimProcess;
  /** Aborted when the client has given up, for the member to see. */
  readonly memberSignal: CallSignal = new CallSignal();
  readonly #reject: (error: EtcdError) => void;
  readonly #deadline: Cancellable | undefined;
  readonly #signal: AbortSignal | undefined;
  onEnd: (() => void) | undefined;
  isOver = false;
  readonly stream: ParcelStream = { isBroken: false };
  #isLost = false;

  constructor(process: SimProcess, options: CallOptions, reject: (error: EtcdError) => void) {
    this.#process = process;
    this.#reject = reject;
    const { timeoutMs, signal } = options;
    if (timeoutMs !== undefined && Number.isFinite(timeoutMs)) {
      this.#deadline = process.schedule(Math.ceil(Math.max(0, timeoutMs) * 1000), 'deadline', () =>
        this.fail(new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: true })),
      );
    }
    this.#signal = signal;
    if (signal?.aborted === true) process.soon('abort', this.#onAbort);
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => this.fail(new EtcdError('CANCELED', { mayHaveApplied: true }));

  /** The answer is there. */
  readonly end = (): void => {
    if (this.isOver) return;
    this.isOver = true;
    this.#deadline?.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.onEnd?.();
  };

  readonly fail = (error: EtcdError): void => {
    if (this.isOver) return;
    this.end();
    this.memberSignal.abort(error);
    this.#reject(error);
  };

  /** The connection went away under the call. */
  break(): void {
    this.#process.schedule(1_000, 'reset', () =>
      this.fail(
        new EtcdError('UNAVAILABLE', { message: 'connection reset', mayHaveApplied: true }),
      ),
    );
  }

  lost(reason: LossReason): void {
    if (reason === 'refused') {
      this.fail(
        new EtcdError('UNAVAILABLE', { message: 'connection refused', mayHaveApplied: false }),
      );
      return;
    }
    if (this.#isLost) return;
    this.#isLost = true;
    this.#process.schedule(CLIENT_KEEPALIVE_TIMEOUT_US, 'keepalive', () =>
      this.fail(
        new EtcdError('UNAVAILABLE', { message: 'keepalive timed out', mayHaveApplied: true }),
      ),
    );
  }
}
