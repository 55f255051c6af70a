import { EMPTY_BYTES, prefixEnd, utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';

/** A key or value: text as UTF-8, or bytes as they are. */
export type Bytes = string | Uint8Array;

/**
 * Which keys: one, those with a prefix, those from one on (to another, exclusive), or all.
 *
 * @example
 * client.getAll({ prefix: 'jobs/' });
 * client.delete({ from: 'a', to: 'c' });
 */
export type Keys =
  | Bytes
  | { readonly prefix: Bytes }
  | { readonly from: Bytes; readonly to?: Bytes }
  | { readonly all: true };

/** A range as etcd has it: empty end is the one key, `\0` is everything from the key on. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const ZERO: Uint8Array = new Uint8Array([0]);

/** The bytes of text; bytes are taken as they are. */
export function toBytes(value: Bytes): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value;
}

/**
 * The range that these keys are.
 *
 * @throws EtcdError EMPTY_KEY for a single empty key; INVALID_ARGUMENT for an end before which there is no key: on the
 *   wire an empty end is the one key, and `\0` everything from it on.
 */
export function toRange(keys: Keys): KeyRange {
  if (typeof keys === 'string' || keys instanceof Uint8Array) {
    const key = toBytes(keys);
    if (key.length === 0) throw new EtcdError('EMPTY_KEY');
    return { key, rangeEnd: EMPTY_BYTES };
  }
  if ('all' in keys) return { key: ZERO, rangeEnd: ZERO };
  if ('prefix' in keys) {
    const prefix = toBytes(keys.prefix);
    return prefix.length === 0
      ? { key: ZERO, rangeEnd: ZERO }
      : { key: prefix, rangeEnd: prefixEnd(prefix) };
  }
  const from = toBytes(keys.from);
  const key = from.length === 0 ? ZERO : from;
  if (keys.to === undefined) return { key, rangeEnd: ZERO };
  const rangeEnd = toBytes(keys.to);
  const isNothing = rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0);
  if (!isNothing) return { key, rangeEnd };
  const message = 'no key lies before the end of the range; leave `to` out for all from the key on';
  throw new EtcdError('INVALID_ARGUMENT', { message });
}
