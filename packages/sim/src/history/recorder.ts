/** Writes down what clients do, as they do it. */
import { assert, must } from '@etcd-ts/base';
import type { Operation, OperationOutcome, OperationRequest } from './operation.ts';
import type { WatchRecord, WatchResponseRecord } from './watch-record.ts';

/** Who asks whom, over which connection. */
export type Invoker = Pick<Operation, 'client' | 'member' | 'connection'>;

/** Records one run. */
export class HistoryRecorder {
  readonly #nowUs: () => number;
  readonly #open = new Map<number, Omit<Operation, 'returnedAt' | 'returnedUs' | 'outcome'>>();
  readonly #done: Operation[] = [];
  readonly #watches: MutableWatch[] = [];
  #position = 0;
  #nextId = 0;

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
    const id = this.#nextId++;
    const invokedAt = this.nextPosition();
    this.#open.set(id, { ...by, id, request, invokedAt, invokedUs: this.#nowUs() });
    return id;
  }

  /** The client has its answer, or gives up waiting. */
  settle(id: number, outcome: OperationOutcome): void {
    const operation = must(this.#open.get(id), `open operation ${id}`);
    this.#open.delete(id);
    const returnedAt = outcome.kind === 'unknown' ? Infinity : this.nextPosition();
    this.#done.push({ ...operation, outcome, returnedAt, returnedUs: this.#nowUs() });
  }

  /** A watch was asked for. */
  openWatch(watch: Omit<WatchRecord, 'responses' | 'ended'>): WatchHandle {
    const record: MutableWatch = { ...watch, responses: [], ended: undefined };
    this.#watches.push(record);
    return {
      receive: (response) => {
        assert(record.ended === undefined, 'a watch that has ended receives nothing');
        record.responses.push({ ...response, at: this.nextPosition(), atUs: this.#nowUs() });
      },
      end: (why) => {
        record.ended ??= why;
      },
    };
  }

  /** Everything so far, by id; what is still open counts as unknown. */
  operations(): readonly Operation[] {
    const open = [...this.#open.values()].map((operation): Operation => ({
      ...operation,
      returnedAt: Infinity,
      returnedUs: this.#nowUs(),
      outcome: { kind: 'unknown', code: 'PENDING' },
    }));
    return [...this.#done, ...open].sort((a, b) => a.id - b.id);
  }

  get openCount(): number {
    return this.#open.size;
  }

  watches(): readonly WatchRecord[] {
    return this.#watches;
  }
}

type MutableWatch = Omit<WatchRecord, 'responses' | 'ended'> & {
  responses: WatchResponseRecord[];
  ended: string | undefined;
};

/** Where a watcher's responses are written down. */
export interface WatchHandle {
  receive(response: Omit<WatchResponseRecord, 'at' | 'atUs'>): void;
  /** The stream is over for this watch; the reason in a word. */
  end(why: string): void;
}
