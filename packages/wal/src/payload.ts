/**
 * Payloads of records: FORMAT.md, "Payloads". Numbers of the hot path are fixed fields, the rare structured ones
 * MessagePack.
 *
 * What always holds: decoding checks every field, since a good checksum proves only that the bytes are those that were
 * written, not that this version wrote them.
 */
import { clusterId, memberId } from '@etcd-ts/base';
import type { ConfigChange, ConfigStep, ConfState, HardState, SnapshotMeta } from '@etcd-ts/raft';
import { Packr } from 'msgpackr';
import type { WalMetadata } from './contents.ts';

/** The first record of a segment: enough to begin reading here. */
export interface SegmentHeader {
  readonly metadata: WalMetadata;
  /** As in the file's name. */
  readonly sequence: number;
  /** The index after the log's last entry when the segment was begun, as in the file's name. */
  readonly firstIndex: number;
  /** As last written before. */
  readonly hardState: HardState;
  /** The newest mark written before. */
  readonly snapshot: SnapshotMeta | undefined;
}

/** A payload that no version of this format has written. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

/** Bytes of a hard state's payload. */
export const HARD_STATE_BYTES = 24;

/** Bytes of an entry's payload before its data. */
export const ENTRY_HEADER_BYTES = 16;

// 64-bit ids are bigint in the API and stay so; everything else is far below 2^53.
const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

/** MessagePack of a segment's header. The result is valid until the next call into this file. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const { clusterId: cluster, memberId: member } = header.metadata;
  return packr.pack({
    cluster,
    member,
    sequence: header.sequence,
    firstIndex: header.firstIndex,
    term: header.hardState.term,
    vote: header.hardState.vote,
    commit: header.hardState.commit,
    snapshot: header.snapshot ?? null,
  });
}

/** @throws PayloadError */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader {
  const fields = unpackFields(bytes, 'segment header');
  const snapshot = fields['snapshot'];
  return {
    metadata: {
      clusterId: clusterId(id(fields, 'cluster')),
      memberId: memberId(id(fields, 'member')),
    },
    sequence: count(fields, 'sequence'),
    firstIndex: count(fields, 'firstIndex'),
    hardState: {
      term: count(fields, 'term'),
      vote: id(fields, 'vote'),
      commit: count(fields, 'commit'),
    },
    snapshot: snapshot === null ? undefined : snapshotMeta(snapshot),
  };
}

/** MessagePack of a snapshot's description. The result is valid until the next call into this file. */
export function encodeSnapshotMeta(meta: SnapshotMeta): Uint8Array {
  const { index, term, confState } = meta;
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return packr.pack({
    index,
    term,
    confState: { voters, votersOutgoing, learners, learnersNext, autoLeave },
  });
}

/** @throws PayloadError */
export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta {
  return snapshotMeta(unpackFields(bytes, 'snapshot mark'));
}

/** MessagePack of a membership change. The result is valid until the next call into this file. */
export function encodeConfigChange({ steps, transition, context }: ConfigChange): Uint8Array {
  return packr.pack({ steps: steps.map(({ op, node }) => ({ op, node })), transition, context });
}

/** @throws PayloadError */
export function decodeConfigChange(bytes: Uint8Array): ConfigChange {
  const fields = unpackFields(bytes, 'config entry');
  const steps = fields['steps'];
  const context = fields['context'];
  if (!Array.isArray(steps)) throw new PayloadError('config entry: steps is no list');
  if (!(context instanceof Uint8Array)) throw new PayloadError('config entry: context is no bytes');
  return {
    steps: steps.map(configStep),
    transition: oneOf(fields, 'transition', ['auto', 'implicit', 'explicit']),
    context: Uint8Array.from(context),
  };
}

/** Writes an index or term as 64 bits, little-endian. */
export function putNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** @throws PayloadError when the number is beyond 2^53. */
export function getNumber(view: DataView, at: number, what: string): number {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  if (!Number.isSafeInteger(value)) throw new PayloadError(`${what} ${value} is beyond 2^53`);
  return value;
}

/** Writes a hard state's {@link HARD_STATE_BYTES}. */
export function putHardState(view: DataView, at: number, { term, vote, commit }: HardState): void {
  putNumber(view, at, term);
  view.setBigUint64(at + 8, vote, true);
  putNumber(view, at + 16, commit);
}

/** @throws PayloadError */
export function getHardState(view: DataView, at: number): HardState {
  return {
    term: getNumber(view, at, 'term'),
    vote: view.getBigUint64(at + 8, true),
    commit: getNumber(view, at + 16, 'commit'),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function unpackFields(bytes: Uint8Array, what: string): Fields {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (cause) {
    throw new PayloadError(`${what} is not MessagePack`, { cause });
  }
  return asFields(value, what);
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null) throw new PayloadError(`${what} has no fields`);
  return value as Fields;
}

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new PayloadError(`${name} is ${String(value)}, not a count`);
}

function id(fields: Fields, name: string): bigint {
  const value = fields[name];
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  throw new PayloadError(`${name} is ${String(value)}, not an id`);
}

function ids(fields: Fields, name: string): bigint[] {
  const list = fields[name];
  if (!Array.isArray(list)) throw new PayloadError(`${name} is no list`);
  return list.map((_, at) => id(list as unknown as Fields, String(at)));
}

function oneOf<const T extends string>(fields: Fields, name: string, values: readonly T[]): T {
  const found = values.find((value) => value === fields[name]);
  if (found !== undefined) return found;
  throw new PayloadError(`${name} is ${String(fields[name])}, not one of ${values.join(', ')}`);
}

function configStep(value: unknown): ConfigStep {
  const fields = asFields(value, 'step');
  const op = oneOf(fields, 'op', ['addVoter', 'addLearner', 'remove', 'update']);
  return { op, node: id(fields, 'node') };
}

function snapshotMeta(value: unknown): SnapshotMeta {
  const fields = asFields(value, 'snapshot mark');
  const confState = confStateOf(asFields(fields['confState'], 'confState'));
  return { index: count(fields, 'index'), term: count(fields, 'term'), confState };
}

function confStateOf(fields: Fields): ConfState {
  const autoLeave = fields['autoLeave'];
  if (typeof autoLeave !== 'boolean') throw new PayloadError('autoLeave is no boolean');
  return {
    voters: ids(fields, 'voters'),
    votersOutgoing: ids(fields, 'votersOutgoing'),
    learners: ids(fields, 'learners'),
    learnersNext: ids(fields, 'learnersNext'),
    autoLeave,
  };
}
