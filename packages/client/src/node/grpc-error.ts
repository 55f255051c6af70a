import { type EtcdError, errorFromWire, Status } from '@etcd-ts/protocol';

/**
 * How grpc-js begins the text of a failure before anything was sent: no connection could be made, or its name not
 * resolved. Everything else may have reached the server.
 */
const NOT_SENT = /^(No connection established|Name resolution failed|Channel has been shut down)/;

/** The error that a failure of grpc-js is. */
export function fromGrpc(error: Error & { code?: number; details?: string }): EtcdError {
  const status = error.code ?? Status.UNKNOWN;
  const text = error.details ?? error.message;
  const isSent = !(status === Status.UNAVAILABLE && NOT_SENT.test(text));
  return errorFromWire(status, text, {
    cause: error,
    ...(isSent ? {} : { mayHaveApplied: false }),
  });
}
