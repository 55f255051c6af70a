/**
 * What a gateway call speaks over: an HTTP/1.1 request with its answer, or a WebSocket. Text comes in, lines of JSON go
 * out.
 */

/** Hears what a client sends. */
export interface WireListener {
  /** Text came, so many bytes of it. */
  readonly text: (text: string, bytes: number) => void;
  /** The client will send no more. */
  readonly end: () => void;
  /** What the client was sending broke off. */
  readonly broken: () => void;
}

/** One call's way to its client and back. After `answer` or `end` nothing is sent any more. */
export interface JsonWire {
  /** A request ends with its JSON value, since the client's side stays open: a WebSocket. */
  readonly endsWithValue: boolean;
  /** Begins to read. Called once. */
  read(listener: WireListener): void;
  /** Holds the client back, and lets it go on. */
  pause(): void;
  resume(): void;
  /** A whole answer. Harmless when one has begun, or when the client is gone. */
  answer(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: string | readonly Uint8Array[],
  ): void;
  /** An answer in lines begins. Harmless when repeated. */
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** Whether an answer that has begun may go out in {@link part}s: not where it is one message, as over a WebSocket. */
  readonly takesParts: boolean;
  /** Sends a part of an answer that is ASCII alone. */
  part(text: string): void;
  /** Bytes of this answer that wait for the client. */
  readonly waitingBytes: number;
  /** Sends a line. False: enough for now, wait for {@link drained}. */
  line(text: string): boolean;
  /** Resolves when there is room again, and also when the client is gone. */
  drained(): Promise<void>;
  /** The answer is whole. */
  end(): void;
  /** Hangs up on the client. */
  cut(): void;
  /** Called once, when the client has the answer or is gone. */
  onGone(listener: () => void): void;
}
