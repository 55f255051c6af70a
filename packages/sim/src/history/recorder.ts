/** Writes down what clients do, as they do it. */
import { assert, must } from '@etcd-ts/base';
import type { Operation, OperationOutcome, OperationRequest } from './operation.ts';
import { SharedKeyValues } from './shared-key-values.ts';
import type { WatchRecord, WatchResponseRecord } from './watch-record.ts';

/** Who asks whom, over which connection. */
export type Invoker = Pick<Operation, 'client' | 'member' | 'connection' | 'caller'>;

/** Of an operation that has not ended. */
const PENDING: OperationOutcome = { kind: 'unknown', code: 'PENDING' };

/** Records one run. */
export class HistoryRecorder {
  readonly #nowUs: () => number;
  /** By id. */
  readonly #operations: RecordedOperation[] = [];
  #openCount = 0;
  readonly #watches: MutableWatch[] = [];
  #position = 0;
  /** For clients that change nothing of what they are told, as the law of operation.ts has it. */
  readonly sharedKeyValues: SharedKeyValues = new SharedKeyValues();

  /** @param nowUs Reads virtual time. */
  constructor(nowUs: () => number) {
    this.#nowUs = nowUs;
  }

  /** The next position in the sequence of everything observed. */
  nextPosition(): number {
    return this.#position++;
  }

  /** A client sends a request. Gives the operation's id. */
  invoke(by: Invoker, request: OperationRequest): number {
    const id = this.#operations.length;
    const { client, member, connection, caller } = by;
    this.#operations.push({
      id,
      client,
      member,
      connection,
      caller,
      request,
      invokedAt: this.nextPosition(),
      returnedAt: Infinity,
      invokedUs: this.#nowUs(),
      returnedUs: -1,
      outcome: PENDING,
    });
    this.#openCount++;
    return id;
  }

  /** The client has its answer, or gives up waiting. */
  settle(id: number, outcome: OperationOutcome): void {
    const operation = must(this.#operations[id], `operation ${id}`);
    assert(operation.outcome === PENDING, () => `operation ${id} has ended before`);
    this.#openCount--;
    operation.outcome = outcome;
    if (outcome.kind !== 'unknown') operation.returnedAt = this.nextPosition();
    operation.returnedUs = this.#nowUs();
  }

  /** A watch was asked for. */
  openWatch(
    watch: Omit<WatchRecord, 'openedUs' | 'responses' | 'isGivenUp' | 'ended'>,
  ): WatchHandle {
    const openedUs = this.#nowUs();
    const record: MutableWatch = { ...watch, openedUs, responses: [], ended: undefined };
    this.#watches.push(record);
    return {
      receive: (response) => {
        assert(record.ended === undefined, 'a watch that has ended receives nothing');
        const { headerRevision, created, canceled, compactRevision, cancelReason, events } =
          response;
        record.responses.push({
          at: this.nextPosition(),
          atUs: this.#nowUs(),
          headerRevision,
          created,
          canceled,
          compactRevision,
          cancelReason,
          events,
        });
      },
      giveUp: () => {
        record.isGivenUp = true;
      },
      end: (why) => {
        record.ended ??= why;
      },
    };
  }

  /** Everything so far, by id; what is still open counts as unknown. */
  operations(): readonly Operation[] {
    const endUs = this.#nowUs();
    return this.#operations.map((operation) =>
      operation.outcome === PENDING ? { ...operation, returnedUs: endUs } : operation,
    );
  }

  get openCount(): number {
    return this.#openCount;
  }

  watches(): readonly WatchRecord[] {
    return this.#watches;
  }
}

type Settled = 'returnedAt' | 'returnedUs' | 'outcome';

/** An operation whose end is written down when it comes. */
type RecordedOperation = Omit<Operation, Settled> & { -readonly [Key in Settled]: Operation[Key] };

type MutableWatch = Omit<WatchRecord, 'responses' | 'isGivenUp' | 'ended'> & {
  responses: WatchResponseRecord[];
  isGivenUp?: boolean;
  ended: string | undefined;
};

/** Where a watcher's responses are written down. */
export interface WatchHandle {
  receive(response: Omit<WatchResponseRecord, 'at' | 'atUs'>): void;
  /** The client asks for its end. */
  giveUp(): void;
  /** The stream is over for this watch; the reason in a word. */
  end(why: string): void;
}
