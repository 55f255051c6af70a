/**
 * Bytes that are not the message they should be.
 *
 * Listeners answer it with status INTERNAL, as grpc-go does (`grpc: error unmarshalling request: …`).
 */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** Where reading stopped, counted from the first byte of the outermost message. */
  readonly offsetBytes: number;

  constructor(what: string, offsetBytes: number) {
    super(`proto: ${what} at byte ${offsetBytes}`);
    this.offsetBytes = offsetBytes;
  }
}
