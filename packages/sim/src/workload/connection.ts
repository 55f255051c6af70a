/** A client's connection whose every call is written down. */
import { type Channel, EtcdError } from '@etcd-ts/protocol';
import { isReadOnly, type OperationOutcome, type OperationRequest } from '../history/operation.ts';
import type { HistoryRecorder, Invoker } from '../history/recorder.ts';
import { sendUnary } from './wire.ts';

/** One connection to one incarnation of one member, as the history knows it. */
export class RecordedConnection {
  readonly channel: Channel;
  readonly by: Invoker;
  readonly #recorder: HistoryRecorder;

  constructor(channel: Channel, by: Invoker, recorder: HistoryRecorder) {
    this.channel = channel;
    this.by = by;
    this.#recorder = recorder;
  }

  /** Sends a request and writes down how it ended. Never rejects. */
  async call(
    request: OperationRequest,
    timeoutMs: number,
    signal?: AbortSignal,
    caller?: Invoker['caller'],
  ): Promise<OperationOutcome> {
    const by = caller === undefined ? this.by : { ...this.by, caller };
    const metadata = caller === undefined ? undefined : new Map([['token', caller.token]]);
    const id = this.#recorder.invoke(by, request);
    let outcome: OperationOutcome;
    try {
      const response = await sendUnary(this.channel, request, { timeoutMs, signal, metadata });
      outcome = { kind: 'ok', response: this.#recorder.sharedKeyValues.response(response) };
    } catch (error) {
      const { code, mayHaveApplied } = EtcdError.from(error);
      const isWithoutEffect = isReadOnly(request) || !mayHaveApplied;
      outcome = { kind: isWithoutEffect ? 'failed' : 'unknown', code };
    }
    this.#recorder.settle(id, outcome);
    return outcome;
  }
}
