import { DecodeError, EtcdError, errorFromWire, Status } from '@etcd-ts/protocol';
import {
  decodeStatusText,
  ErrorCode,
  FrameReader,
  type HeaderList,
  type StreamUser,
} from '@etcd-ts/protocol/http2';

/** What becomes of a call. */
export interface ClientCallUser {
  /** A response message; its bytes are its own. */
  onMessage(bytes: Uint8Array): void;
  /** There is room for requests again. */
  onDrain(): void;
  /** The call is over: with status OK when there is no error. Called once, last. */
  onOutcome(error: EtcdError | undefined): void;
}

/**
 * One gRPC call, seen from its HTTP/2 stream.
 *
 * Invariant: `onOutcome` is called once. Before it, `mayHaveApplied` of a failure is false only when the server has
 * said that it never looked at the call.
 */
export class ClientCall implements StreamUser {
  readonly #user: ClientCallUser;
  readonly #frames: FrameReader;
  /** What the server's trailers say, or what is wrong with its headers. */
  #outcome: EtcdError | 'ok' | undefined;
  #isOver = false;

  /** @param maxReceiveBytes Largest response message; beyond, the call ends with RESOURCE_EXHAUSTED. */
  constructor(user: ClientCallUser, maxReceiveBytes: number) {
    this.#user = user;
    this.#frames = new FrameReader(maxReceiveBytes);
  }

  onHeaders(headers: HeaderList): void {
    const status = valueOf(headers, 'grpc-status');
    if (status !== undefined) {
      this.#outcome = outcomeOf(status, valueOf(headers, 'grpc-message') ?? '');
      return;
    }
    this.#outcome ??= foreignAnswer(headers);
  }

  /** What follows headers that are not gRPC's is no message: a page that explains an error, most of the time. */
  onData(bytes: Uint8Array): void {
    if (this.#isOver || this.#outcome !== undefined) return;
    try {
      for (const message of this.#frames.push(bytes)) this.#user.onMessage(message);
    } catch (error) {
      this.#finish(malformed(error));
    }
  }

  onEnd(): void {
    this.#finish(
      this.#outcome ?? new EtcdError('INTERNAL', { message: 'the answer has no status' }),
    );
  }

  onDrain(): void {
    this.#user.onDrain();
  }

  onClose(resetCode?: number): void {
    this.#finish(this.#outcome ?? closeError(resetCode));
  }

  #finish(outcome: EtcdError | 'ok'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#user.onOutcome(outcome === 'ok' ? undefined : outcome);
  }
}

/** The code of an answer that is not gRPC's (gRPC's http-grpc-status-mapping). */
const HTTP_CODES: Readonly<Record<string, EtcdError['code']>> = {
  '400': 'INTERNAL',
  '401': 'UNAUTHENTICATED',
  '403': 'PERMISSION_DENIED',
  '404': 'UNIMPLEMENTED',
  '429': 'UNAVAILABLE',
  '502': 'UNAVAILABLE',
  '503': 'UNAVAILABLE',
  '504': 'UNAVAILABLE',
};

/** Why an answer that has begun is none of gRPC; undefined when it is. */
function foreignAnswer(headers: HeaderList): EtcdError | undefined {
  const status = valueOf(headers, ':status');
  if (status === undefined || status.startsWith('1')) return undefined;
  if (status !== '200') {
    const message = `the server answered HTTP status ${status}`;
    return new EtcdError(HTTP_CODES[status] ?? 'UNKNOWN', { message });
  }
  const type = valueOf(headers, 'content-type');
  if (type === undefined || type.startsWith('application/grpc')) return undefined;
  return new EtcdError('UNKNOWN', { message: `the server answered ${type}, which is not gRPC` });
}

function outcomeOf(status: string, text: string): EtcdError | 'ok' {
  const number = Number(status);
  if (number === Status.OK) return 'ok';
  return errorFromWire(number, decodeStatusText(text));
}

/** Why a stream ended without an answer. */
function closeError(resetCode: number | undefined): EtcdError {
  if (resetCode === undefined) {
    return new EtcdError('UNAVAILABLE', { message: 'the connection was lost' });
  }
  const message = `the server reset the stream (code ${resetCode})`;
  if (resetCode === ErrorCode.REFUSED_STREAM) {
    return new EtcdError('UNAVAILABLE', { message, mayHaveApplied: false });
  }
  if (resetCode === ErrorCode.CANCEL) return new EtcdError('CANCELED', { message });
  if (resetCode === ErrorCode.ENHANCE_YOUR_CALM) {
    return new EtcdError('RESOURCE_EXHAUSTED', { message, mayHaveApplied: true });
  }
  return new EtcdError('INTERNAL', { message });
}

/** What is wrong with an answer: that there was one says that the request may have been carried out. */
function malformed(error: unknown): EtcdError {
  if (error instanceof EtcdError) {
    const { code, message } = error;
    return new EtcdError(code, { message, cause: error, mayHaveApplied: true });
  }
  if (!(error instanceof DecodeError)) return EtcdError.from(error);
  return new EtcdError('INTERNAL', {
    message: `malformed response: ${error.message}`,
    cause: error,
  });
}

function valueOf(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}
