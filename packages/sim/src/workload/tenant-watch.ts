/**
 * Watches in the names of tenants. Each has a stream of its own, since a token belongs to a stream; it is read for a
 * while and then given up, and does not go on elsewhere when its stream breaks.
 */
import { utf8 } from '@etcd-ts/base';
import {
  EtcdError,
  errorFromRpcText,
  type StreamCall,
  type WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import type { Operation } from '../history/operation.ts';
import type { HistoryRecorder, WatchHandle } from '../history/recorder.ts';
import type { PlannedStep } from '../plan/plan.ts';
import type { RecordedConnection } from './connection.ts';
import { KEY_PREFIX_END, keyName } from './requests.ts';
import type { SimClient } from './sim-client.ts';
import { callerFor, VOID } from './tenant-step.ts';
import { cancelMessage, createMessage, type WatchAsked, watchResponseOf } from './watch-wire.ts';

/** Open at a time, of one client; the oldest is given up for a further one. */
export const MAX_TENANT_WATCHES_PER_CLIENT = 8;

/** Keys have one figure, so that their names are in the order of their numbers. */
const KEY_NUMBERS = 10;
/** As a range end: everything from the key on. */
const FROM_KEY_ON = '\0';

/** A watch that a tenant asks for. */
export interface TenantWish {
  readonly asked: WatchAsked;
  readonly caller: NonNullable<Operation['caller']>;
  /** Given up after so long. */
  readonly forMs: number;
  /** Hears why the watch is refused: the code of an error; undefined: in other words. */
  readonly onRefused: (code: string | undefined) => void;
}

interface OpenWatch {
  readonly wish: TenantWish;
  readonly call: StreamCall<WatchRequest, WatchResponse>;
  readonly handle: WatchHandle;
  /** Undefined until it is created. */
  id: bigint | undefined;
}

/** The watches of one client in the names of tenants. */
export class TenantWatches {
  readonly #recorder: HistoryRecorder;
  readonly #sleep: (milliseconds: number) => Promise<void>;
  /** The oldest first. */
  readonly #open = new Set<OpenWatch>();

  constructor(recorder: HistoryRecorder, sleep: (milliseconds: number) => Promise<void>) {
    this.#recorder = recorder;
    this.#sleep = sleep;
  }

  /** Asks for a watch, and reads it from now on. */
  open(wish: TenantWish, { channel, by }: RecordedConnection): void {
    const { asked, caller, forMs } = wish;
    const [oldest] = this.#open;
    if (oldest !== undefined && this.#open.size >= MAX_TENANT_WATCHES_PER_CLIENT) {
      oldest.call.cancel();
    }
    const metadata = new Map([['token', caller.token]]);
    const call = channel.stream('etcdserverpb.Watch/Watch', { metadata });
    const { client, member } = by;
    const openedAt = this.#recorder.nextPosition();
    const handle = this.#recorder.openWatch({ client, member, caller, ...asked, openedAt });
    call.send(createMessage(asked));
    const watch: OpenWatch = { wish, call, handle, id: undefined };
    this.#open.add(watch);
    void this.#read(watch);
    void this.#sleep(forMs).then(() => this.#giveUp(watch));
  }

  /** Ends all of them. */
  close(): void {
    for (const { call } of this.#open) call.cancel();
  }

  async #read(watch: OpenWatch): Promise<void> {
    const { wish, call, handle } = watch;
    try {
      for await (const response of call.responses) {
        const received = watchResponseOf(response, this.#recorder.sharedKeyValues);
        handle.receive(received);
        if (received.created) watch.id = response.watchId;
        if (!received.canceled) continue;
        if (received.created) wish.onRefused(errorFromRpcText(received.cancelReason)?.code);
        break;
      }
    } catch (error) {
      // Whatever broke the stream: the watch is over.
      if (!EtcdError.is(error)) throw error;
    }
    call.cancel();
    handle.end('it was given up, or its stream broke');
    this.#open.delete(watch);
  }

  /** What is not created yet is not waited for. */
  #giveUp(watch: OpenWatch): void {
    if (!this.#open.has(watch)) return;
    watch.handle.giveUp();
    if (watch.id === undefined) watch.call.cancel();
    else watch.call.send(cancelMessage(watch.id));
  }
}

/** Opens a watch in a tenant's name, logging in first where that is needed. */
export async function tenantWatchStep(
  client: SimClient,
  step: PlannedStep & { do: 'tenantWatch' },
  startRevision: number,
): Promise<void> {
  const caller = await callerFor(client, step);
  if (caller === undefined) return;
  const { key, span, prevKv, forMs, stale } = step;
  const flags = { prevKv, noPut: false, noDelete: false };
  const rangeEnd = utf8(rangeEndOf(key, span));
  const asked = { key: utf8(keyName(key)), rangeEnd, startRevision, ...flags };
  const onRefused = (code: string | undefined): void => {
    if (code !== undefined && VOID.has(code) && !stale) client.tokens.drop(caller.user);
  };
  const { tenantWatches, connection } = client.parts;
  tenantWatches.open({ asked, caller, forMs, onRefused }, connection());
}

/** The end of so many keys; 0: of all from the key on; 1: of the key alone. */
function rangeEndOf(key: number, span: number): string {
  if (span === 0) return FROM_KEY_ON;
  if (span === 1) return '';
  return key + span < KEY_NUMBERS ? keyName(key + span) : KEY_PREFIX_END;
}
