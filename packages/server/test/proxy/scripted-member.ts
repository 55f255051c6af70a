/** A member whose streams are answered by the test: what the proxy sends is kept, what it gets is said here. */
import {
  type EtcdError,
  MessageQueue,
  type RequestOf,
  type ResponseOf,
  type StreamMethodName,
} from '@etcd-ts/protocol';
import type { OpenStream } from '../../src/proxy/upstream.ts';

/** One stream that the proxy has opened. */
export class ScriptedStream<Method extends StreamMethodName> {
  readonly sent: RequestOf<Method>[] = [];
  readonly failures: EtcdError[] = [];
  readonly opened: OpenStream<Method>;
  isCancelled = false;
  readonly #answers = new MessageQueue<ResponseOf<Method>>(64);

  constructor() {
    this.opened = {
      call: {
        send: (request) => this.sent.push(request) > 0,
        drained: () => Promise.resolve(),
        end: () => undefined,
        responses: this.#answers,
        cancel: () => {
          this.isCancelled = true;
          this.#answers.abort();
        },
      },
      failed: (error) => void this.failures.push(error),
    };
  }

  /** All of these in one turn. */
  answer(...responses: ResponseOf<Method>[]): void {
    for (const response of responses) this.#answers.push(response);
  }

  breakOff(error?: EtcdError): void {
    this.#answers.end(error);
  }
}

/** Streams in the order in which they were opened. */
export function scripted<Method extends StreamMethodName>(): {
  readonly streams: ScriptedStream<Method>[];
  readonly open: () => OpenStream<Method>;
} {
  const streams: ScriptedStream<Method>[] = [];
  const open = (): OpenStream<Method> => {
    const stream = new ScriptedStream<Method>();
    streams.push(stream);
    return stream.opened;
  };
  return { streams, open };
}
