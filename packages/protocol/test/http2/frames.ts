import { concatBytes } from '@etcd-ts/base';
import { Flag, FrameType, PREFACE } from '../../src/http2/frame.ts';
import { headerBlock } from '../../src/http2/header-block.ts';

/** A frame as it goes over the wire. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: readonly number[] | Uint8Array = [],
): Uint8Array {
  const { length } = payload;
  const head = [length >>> 16, length >>> 8, length, type, flags, ...word(streamId)];
  return concatBytes([new Uint8Array(head), new Uint8Array(payload)]);
}

/** A number of four bytes. */
export function word(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** What every client begins with. */
export const HELLO: Uint8Array = concatBytes([PREFACE, frame(FrameType.SETTINGS, 0, 0)]);

/** The headers of a call. */
export function requestBlock(
  path = '/etcdserverpb.KV/Range',
  extra: readonly (readonly [string, string])[] = [],
  contentType = 'application/grpc',
): Uint8Array {
  return headerBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    ['content-type', contentType],
    ...extra,
  ]);
}

/** Opens a stream, and leaves it open. */
export function open(streamId: number, block: Uint8Array = requestBlock()): Uint8Array {
  return frame(FrameType.HEADERS, Flag.END_HEADERS, streamId, block);
}

/** One frame that was read. */
export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

/** The frames in what a server has sent. */
export function framesOf(parts: readonly Uint8Array[]): ReadFrame[] {
  const bytes = concatBytes(parts);
  const view = new DataView(bytes.buffer);
  const frames: ReadFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = (view.getUint8(at) << 16) | view.getUint16(at + 1);
    frames.push({
      type: view.getUint8(at + 3),
      flags: view.getUint8(at + 4),
      streamId: view.getUint32(at + 5),
      payload: bytes.slice(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}
