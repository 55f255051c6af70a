import { Status } from '@etcd-ts/protocol';

/** gRPC status to HTTP status, as grpc-gateway v2 maps them (runtime/errors.go, HTTPStatusFromCode). */
const HTTP_STATUS: ReadonlyMap<number, number> = new Map([
  [Status.CANCELED, 499],
  [Status.UNKNOWN, 500],
  [Status.INVALID_ARGUMENT, 400],
  [Status.DEADLINE_EXCEEDED, 504],
  [Status.NOT_FOUND, 404],
  [Status.ALREADY_EXISTS, 409],
  [Status.PERMISSION_DENIED, 403],
  [Status.RESOURCE_EXHAUSTED, 429],
  [Status.FAILED_PRECONDITION, 400],
  [Status.ABORTED, 409],
  [Status.OUT_OF_RANGE, 400],
  [Status.UNIMPLEMENTED, 501],
  [Status.INTERNAL, 500],
  [Status.UNAVAILABLE, 503],
  [Status.DATA_LOSS, 500],
  [Status.UNAUTHENTICATED, 401],
]);

/** The HTTP status of a gRPC status; 500 for one that does not exist. */
export function httpStatus(status: number): number {
  return HTTP_STATUS.get(status) ?? 500;
}
