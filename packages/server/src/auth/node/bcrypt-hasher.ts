import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { assert, deferred, type Deferred } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import {
  BCRYPT_COST_MAX,
  BCRYPT_COST_MIN,
  DEFAULT_BCRYPT_COST,
  PASSWORD_BYTES_MAX,
  type PasswordHasher,
  WAITING_PASSWORDS_MAX,
} from '../password-hasher.ts';

/** What the thread is asked; `hash` is absent where a password is to be hashed. */
interface Job {
  readonly id: number;
  readonly password: string;
  readonly cost: number;
  readonly hash?: string;
}

interface Done {
  readonly id: number;
  readonly result?: string | boolean;
  readonly error?: string;
}

/** Runs in the thread; plain JavaScript, so that it runs from sources and from dist alike. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const bcrypt = require(workerData.bcrypt);
  parentPort.on('message', ({ id, password, cost, hash }) => {
    try {
      const result = hash === undefined
        ? bcrypt.hashSync(password, cost)
        : bcrypt.compareSync(password, hash);
      parentPort.postMessage({ id, result });
    } catch (error) {
      parentPort.postMessage({ id, error: String(error) });
    }
  });
`;

/**
 * bcrypt in one worker thread, started when first needed: a login costs the event loop nothing but two messages.
 *
 * Jobs run one after the other, which also bounds the processor time that a flood of logins can take; what waits is
 * bounded too.
 */
export class BcryptHasher implements PasswordHasher {
  readonly #cost: number;
  readonly #waitingMax: number;
  readonly #waiting = new Map<number, Deferred<string | boolean>>();
  #worker: Worker | undefined;
  #nextId = 1;

  /**
   * @param cost Work factor, from 4 to 31; one more doubles the time. @defaultValue 10
   * @param waitingMax Passwords that may wait.
   */
  constructor(cost: number = DEFAULT_BCRYPT_COST, waitingMax: number = WAITING_PASSWORDS_MAX) {
    assert(
      Number.isInteger(cost) && cost >= BCRYPT_COST_MIN && cost <= BCRYPT_COST_MAX,
      () => `bcrypt cost ${cost} is not from ${BCRYPT_COST_MIN} to ${BCRYPT_COST_MAX}`,
    );
    this.#cost = cost;
    this.#waitingMax = waitingMax;
  }

  async hash(password: string): Promise<string> {
    const bytes = Buffer.byteLength(password);
    if (bytes > PASSWORD_BYTES_MAX) {
      throw new EtcdError('UNKNOWN', {
        message: `bcrypt: password length exceeds ${PASSWORD_BYTES_MAX} bytes`,
        detail: `${bytes} bytes`,
        mayHaveApplied: false,
      });
    }
    return String(await this.#run({ password }));
  }

  async matches(password: string, hash: string): Promise<boolean> {
    return (await this.#run({ password, hash })) === true;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#failAll(new Error('the password hasher is closed'));
  }

  #run(job: { readonly password: string; readonly hash?: string }): Promise<string | boolean> {
    if (this.#waiting.size >= this.#waitingMax) {
      const detail = `${this.#waiting.size} passwords wait, the limit is ${this.#waitingMax}`;
      return Promise.reject(new EtcdError('TOO_MANY_REQUESTS', { detail, mayHaveApplied: false }));
    }
    const id = this.#nextId++;
    const answer = deferred<string | boolean>();
    this.#waiting.set(id, answer);
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    worker.postMessage({ id, cost: this.#cost, ...job } satisfies Job);
    return answer.promise;
  }

  #start(): Worker {
    const bcrypt = createRequire(import.meta.url).resolve('bcryptjs');
    const worker = new Worker(THREAD, { eval: true, workerData: { bcrypt } });
    worker.on('message', ({ id, result, error }: Done) => {
      const answer = this.#waiting.get(id);
      this.#waiting.delete(id);
      // A thread without work does not keep the process alive.
      if (this.#waiting.size === 0) worker.unref();
      if (result === undefined) answer?.reject(new Error(error));
      else answer?.resolve(result);
    });
    worker.on('error', (error) => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#failAll(error);
    });
    return worker;
  }

  #failAll(error: unknown): void {
    for (const answer of this.#waiting.values()) answer.reject(error);
    this.#waiting.clear();
  }
}
