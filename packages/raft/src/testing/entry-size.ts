import type { Entry } from '../index.ts';

/** Bytes of an unsigned number as a protobuf varint. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/**
 * Bytes of an entry in etcd's encoding (type, term, index, data), by which its pages are cut.
 *
 * Configuration changes count two bytes per step and two for the transition, about what etcd's have.
 */
export function entryBytes(entry: Entry): number {
  const { payload } = entry;
  let dataBytes = 0;
  if (payload.kind === 'command') dataBytes = payload.data.length;
  if (payload.kind === 'config') dataBytes = 2 + 2 * payload.change.steps.length;
  const envelope = 2 + 1 + varintBytes(entry.term) + 1 + varintBytes(entry.index);
  return dataBytes === 0 ? envelope : envelope + 1 + varintBytes(dataBytes) + dataBytes;
}
