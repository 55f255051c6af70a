import type { ClientDuplexStream } from '@grpc/grpc-js';
import { EtcdError, MessageQueue, type StreamCall } from '@etcd-ts/protocol';
import { fromGrpc } from './grpc-error.ts';

/** Responses that wait for the reader before the server's flow-control window is left to close. */
export const GRPC_STREAM_RESPONSES = 64;

/** A stream over gRPC, as a StreamCall. */
export class GrpcStream<Request, Response> implements StreamCall<Request, Response> {
  readonly responses: AsyncIterable<Response>;
  readonly #call: ClientDuplexStream<Request, Response>;
  readonly #queue: MessageQueue<Response>;
  #hasEnded = false;

  constructor(call: ClientDuplexStream<Request, Response>, onEnd: () => void) {
    this.#call = call;
    this.#queue = new MessageQueue(GRPC_STREAM_RESPONSES, () => this.cancel());
    this.responses = this.#queue;
    call.on('data', (response: Response) => {
      if (this.#queue.push(response) || this.#queue.isClosed) return;
      call.pause();
      void this.#queue.drained().then(() => call.resume());
    });
    call.on('error', (error) => this.#end(fromGrpc(error), onEnd));
    call.on('end', () => this.#end(undefined, onEnd));
  }

  send(request: Request): boolean {
    if (this.#hasEnded || this.#call.writableEnded) return false;
    return this.#call.write(request);
  }

  drained(): Promise<void> {
    const call = this.#call;
    if (this.#hasEnded || !call.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        call.off('drain', done);
        call.off('error', done);
        call.off('end', done);
        resolve();
      };
      call.once('drain', done);
      call.once('error', done);
      call.once('end', done);
    });
  }

  end(): void {
    if (!this.#hasEnded) this.#call.end();
  }

  cancel(): void {
    this.fail(new EtcdError('CANCELED'));
  }

  /** Ends the stream at once with this error. */
  fail(error: EtcdError): void {
    this.#queue.abort(error);
    this.#call.cancel();
  }

  #end(error: EtcdError | undefined, onEnd: () => void): void {
    // After an error grpc-js may still emit 'end', and the other way round; the first counts.
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#queue.end(error);
    onEnd();
  }
}
