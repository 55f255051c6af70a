/** The vocabulary of HTTP/2 frames (RFC 9113 sections 4, 6 and 7). */

/** Bytes before a frame's payload. */
export const FRAME_HEADER_BYTES = 9;

/** Payload that every peer takes, and the most that we take (SETTINGS_MAX_FRAME_SIZE, its default). */
export const MAX_FRAME_BYTES = 16_384;

/** What a client sends before its first frame. */
export const PREFACE: Uint8Array = new TextEncoder().encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The window that both sides begin with. */
export const DEFAULT_WINDOW_BYTES = 65_535;

/** The largest window there is. */
export const MAX_WINDOW_BYTES = 0x7fff_ffff;

/** Types of frames (RFC 9113 section 6). */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames; what a bit means depends on the type. */
export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** Settings that we send or heed (section 6.5.2). */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Error codes that we send (section 7). */
export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** A peer that broke the protocol or a limit: its connection ends with GOAWAY, this code and this text. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
  /** A value of {@link ErrorCode}. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A big-endian number of four bytes. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** The largest SETTINGS_MAX_FRAME_SIZE there may be. */
const LARGEST_FRAME_BYTES = 0xff_ffff;

/** @throws Http2Error PROTOCOL_ERROR for a value that a setting cannot have. */
export function checkSetting(identifier: number, value: number): void {
  const isBad =
    (identifier === Setting.ENABLE_PUSH && value > 1) ||
    (identifier === Setting.MAX_FRAME_SIZE &&
      (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES));
  if (isBad) throw new Http2Error(ErrorCode.PROTOCOL_ERROR, `setting ${identifier} of ${value}`);
}

/** A payload without its padding. @throws Http2Error PROTOCOL_ERROR for more of it than there is. */
export function unpadded(flags: number, payload: Uint8Array): Uint8Array {
  if ((flags & Flag.PADDED) === 0) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) {
    throw new Http2Error(ErrorCode.PROTOCOL_ERROR, 'more padding than payload');
  }
  return payload.subarray(1, payload.length - padding);
}
