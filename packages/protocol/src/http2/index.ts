/**
 * HTTP/2 and gRPC over it, without a socket: bytes in, bytes out. For those who make doors and channels; it follows no
 * promise of stability.
 */
export { type ClientConnectionUser, Http2ClientConnection } from './client-connection.ts';
export { type ConnectionOptions, type ConnectionUser, Http2Connection } from './connection.ts';
export { ErrorCode, Flag, FrameType, Http2Error, PREFACE, Setting } from './frame.ts';
export {
  type Decompress,
  decodeStatusText,
  encodeStatusText,
  FRAME_PREFIX_BYTES,
  formatTimeout,
  FrameReader,
  metadataOf,
  parseTimeoutMs,
} from './grpc-wire.ts';
export { headerBlock } from './header-block.ts';
export { HeaderSet } from './hpack-encoder.ts';
export type { HeaderList } from './hpack.ts';
export { PingPolicy } from './ping-policy.ts';
export { Http2Stream, type StreamUser } from './stream.ts';
