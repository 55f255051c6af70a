import type { Logger } from '../logger.ts';

/** Whether the gRPC server says of itself that it serves: not while it defragments, when that was asked for. */
export class ServingState {
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #pauses = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  get isServing(): boolean {
    return this.#pauses === 0;
  }

  /** Listens. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Does not serve while the work is under way. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    this.#change(1);
    try {
      return await work();
    } finally {
      this.#change(-1);
    }
  }

  #change(by: 1 | -1): void {
    const before = this.isServing;
    this.#pauses += by;
    if (before === this.isServing) return;
    const status = this.isServing ? 'SERVING' : 'NOT_SERVING';
    this.#log.info('grpc service status changed', { service: '', status });
    for (const listener of this.#listeners) listener();
  }
}
