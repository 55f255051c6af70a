/** Requests that come compressed: by gzip, as etcd's members take them, and by nothing else. Answers are not compressed. */
import { gunzipSync } from 'node:zlib';
import { EtcdError } from '@etcd-ts/protocol';
import type { Decompress } from '@etcd-ts/protocol/http2';

/** By the name in the header `grpc-encoding`. */
export const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map([['gzip', gunzip]]);

/**
 * A message as it was before it was compressed. What grows beyond the limit is never built up.
 *
 * @throws EtcdError RESOURCE_EXHAUSTED beyond `maxBytes`; INTERNAL for what is no gzip, or not all of it.
 */
function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new EtcdError('RESOURCE_EXHAUSTED', {
        message: `grpc: received message after decompression larger than max ${maxBytes}`,
      });
    }
    throw new EtcdError('INTERNAL', {
      message: `grpc: failed to decompress the message: ${message}`,
      cause: error,
      mayHaveApplied: false,
    });
  }
}
