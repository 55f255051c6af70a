import type { Event } from '@etcd-ts/mvcc';
import type { Operation } from './operation.ts';

/** One response as the client received it, fragments put together. */
export interface WatchResponseRecord {
  /** Position in the history. */
  readonly at: number;
  readonly atUs: number;
  readonly headerRevision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  /** Why it was cancelled, as the member says it; empty: it does not say. */
  readonly cancelReason: string;
  readonly events: readonly Event[];
}

/** One watch on one stream, from its creation to its end. A resumed watch is another record. */
export interface WatchRecord {
  readonly client: number;
  readonly member: number;
  /** In whose name, and with which token; absent: without one. */
  readonly caller?: Operation['caller'];
  readonly key: Uint8Array;
  /** As in a range request: empty for one key, `\0` for everything from the key on. */
  readonly rangeEnd: Uint8Array;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** Position in the history at which it was asked for. */
  readonly openedAt: number;
  readonly openedUs: number;
  readonly responses: readonly WatchResponseRecord[];
  /** Its client asked to end it; absent: not before it was over. */
  readonly isGivenUp?: boolean | undefined;
  /** Undefined while it is open. */
  readonly ended: string | undefined;
}

/** True when the response says only how far the watch has come. */
export function isProgress(response: WatchResponseRecord): boolean {
  return response.events.length === 0 && !response.created && !response.canceled;
}
