/** Splits large watch responses at event boundaries (etcd server/etcdserver/api/v3rpc/watch.go, fragments). */
import { WatchResponse } from '@etcd-ts/protocol';

/** What one event adds beside its keys and values, at most: tags, lengths and six numbers, twice with prev_kv. */
const EVENT_OVERHEAD_BYTES = 160;

/**
 * The response as it is when it is below `maxBytes`, else several: each below it unless a single event is not, all but
 * the last marked `fragment`.
 */
export function fragments(response: WatchResponse, maxBytes: number): readonly WatchResponse[] {
  if (response.events.length < 2 || upperBoundBytes(response) < maxBytes) return [response];
  const parts: WatchResponse[] = [];
  const emptyBytes = sizeBytes({ ...response, events: [], fragment: true });
  let events: WatchResponse['events'] = [];
  let bytes = emptyBytes;
  for (const event of response.events) {
    const eventBytes = sizeBytes({ ...response, events: [event], fragment: true }) - emptyBytes;
    if (events.length > 0 && bytes + eventBytes >= maxBytes) {
      parts.push({ ...response, events, fragment: true });
      events = [];
      bytes = emptyBytes;
    }
    events.push(event);
    bytes += eventBytes;
  }
  parts.push({ ...response, events, fragment: false });
  return parts;
}

function sizeBytes(response: WatchResponse): number {
  return WatchResponse.encode(response).length;
}

/** A cheap bound, so that small responses are never encoded just to be measured. */
function upperBoundBytes({ events, cancelReason }: WatchResponse): number {
  let bytes = EVENT_OVERHEAD_BYTES + cancelReason.length * 3;
  for (const { kv, prevKv } of events) {
    bytes += EVENT_OVERHEAD_BYTES;
    if (kv !== undefined) bytes += kv.key.length + kv.value.length;
    if (prevKv !== undefined) bytes += prevKv.key.length + prevKv.value.length;
  }
  return bytes;
}
