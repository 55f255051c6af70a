/**
 * Raft's configuration on disk, as of the last applied entry: one flag byte (1: leaves the joint configuration by
 * itself), then four lists (voters, outgoing voters, learners, next learners), each a 4-byte big-endian count and
 * 8-byte big-endian ids.
 */
import { assert, crc32c } from '@etcd-ts/base';
import type { ConfState } from '@etcd-ts/raft';

/** The record's name. */
export const CONF_STATE_RECORD = 'conf-state';

/** A configuration without members: a node that has not yet heard of its cluster. */
export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** The record's bytes. */
export function encodeConfState(state: ConfState): Uint8Array {
  const lists = [state.voters, state.votersOutgoing, state.learners, state.learnersNext];
  const bytes = new Uint8Array(1 + lists.reduce((sum, list) => sum + 4 + 8 * list.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, state.autoLeave ? 1 : 0);
  let at = 1;
  for (const list of lists) {
    view.setUint32(at, list.length);
    at += 4;
    for (const id of list) {
      view.setBigUint64(at, id);
      at += 8;
    }
  }
  return bytes;
}

/** A digest of who is in which part, whatever the order in which they were named. Unsigned 32 bits. */
export function confStateChecksum(state: ConfState): number {
  const sorted = (ids: readonly bigint[]): bigint[] => [...ids].sort((a, b) => (a < b ? -1 : 1));
  return crc32c(
    encodeConfState({
      voters: sorted(state.voters),
      votersOutgoing: sorted(state.votersOutgoing),
      learners: sorted(state.learners),
      learnersNext: sorted(state.learnersNext),
      autoLeave: state.autoLeave,
    }),
  );
}

/** Reads the record back. A record that is not as it was written is a broken invariant. */
export function decodeConfState(bytes: Uint8Array): ConfState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 1;
  const list = (): readonly bigint[] => {
    const ids: bigint[] = [];
    const count = view.getUint32(at);
    at += 4;
    for (let i = 0; i < count; i++, at += 8) ids.push(view.getBigUint64(at));
    return ids;
  };
  const state: ConfState = {
    voters: list(),
    votersOutgoing: list(),
    learners: list(),
    learnersNext: list(),
    autoLeave: view.getUint8(0) === 1,
  };
  assert(
    at === bytes.length,
    () => `record ${CONF_STATE_RECORD}: ${bytes.length} bytes, not ${at}`,
  );
  return state;
}
