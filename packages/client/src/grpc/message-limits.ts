import { EtcdError } from '@etcd-ts/protocol';
import { FRAME_PREFIX_BYTES } from '@etcd-ts/protocol/http2';

/** Largest messages that a channel sends and takes. */
export interface MessageLimits {
  readonly maxSendBytes: number;
  readonly maxReceiveBytes: number;
}

/** As gRPC's length field has it, since an answer may be as large as the store. */
export const MAX_MESSAGE_BYTES = 0xffff_ffff;

/** Why a message in its frame is not sent, in grpc-go's words; undefined: it may be. */
export function sendRefusal(
  frame: Uint8Array,
  { maxSendBytes }: MessageLimits,
): EtcdError | undefined {
  const bytes = frame.length - FRAME_PREFIX_BYTES;
  if (bytes <= maxSendBytes) return undefined;
  const message = `trying to send message larger than max (${bytes} vs. ${maxSendBytes})`;
  return new EtcdError('RESOURCE_EXHAUSTED', { message, mayHaveApplied: false });
}
