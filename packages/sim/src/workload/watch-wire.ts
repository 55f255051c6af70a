/** What a watch asks for and is told, between the wire's messages and what a history holds of them. */
import type { Event } from '@etcd-ts/mvcc';
import type { WatchRequest, WatchResponse } from '@etcd-ts/protocol';
import type { SharedKeyValues } from '../history/shared-key-values.ts';
import type { WatchRecord, WatchResponseRecord } from '../history/watch-record.ts';

const NO_PUT = 0;
const NO_DELETE = 1;

/** What a watch is asked for, as it is written down. */
export type WatchAsked = Pick<
  WatchRecord,
  'key' | 'rangeEnd' | 'startRevision' | 'prevKv' | 'noPut' | 'noDelete'
>;

/** The message that asks for a watch. */
export function createMessage(asked: WatchAsked): WatchRequest {
  const { key, rangeEnd, startRevision, prevKv, noPut, noDelete } = asked;
  return {
    requestUnion: {
      $case: 'createRequest',
      value: {
        key,
        rangeEnd,
        startRevision,
        progressNotify: false,
        filters: [...(noPut ? [NO_PUT] : []), ...(noDelete ? [NO_DELETE] : [])],
        prevKv,
        watchId: 0n,
        fragment: false,
      },
    },
  };
}

/** The message that ends a watch. */
export function cancelMessage(watchId: bigint): WatchRequest {
  return { requestUnion: { $case: 'cancelRequest', value: { watchId } } };
}

/** A response as a history holds it. */
export function watchResponseOf(
  response: WatchResponse,
  shared: SharedKeyValues,
): Omit<WatchResponseRecord, 'at' | 'atUs'> {
  const { created, canceled, compactRevision, cancelReason } = response;
  const events = shared.events(response.events.filter(hasKeyValue));
  return {
    headerRevision: response.header?.revision ?? 0,
    created,
    canceled,
    compactRevision,
    cancelReason,
    events,
  };
}

function hasKeyValue(event: WatchResponse['events'][number]): event is Event {
  return event.kv !== undefined;
}
