/**
 * Processes among which seeds are spread: one at a time each, in the order in which they were handed out.
 *
 * A run is the same wherever it happens; what differs between processes is what must not matter: memory, the state of
 * the optimising compiler, with `nodePaths` the version of Node.
 */
import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Deferred, deferred, must } from '@etcd-ts/base';
import type { RunResult } from '../cluster/run-plan.ts';

/** What a worker is asked to do. */
export interface WorkerTask {
  readonly seed: number;
  readonly profile: string;
}

/** What it answers. */
export interface WorkerAnswer {
  readonly result: RunResult;
  /** Processor time that it has used so far. */
  readonly cpuMs: number;
}

/** A worker is no more: it failed, or was interrupted with its command. */
export class WorkerEnded extends Error {
  override readonly name = 'WorkerEnded';
}

interface Worker {
  readonly child: ChildProcess;
  /** In the order in which they were asked. */
  readonly waiting: Deferred<RunResult>[];
  cpuMs: number;
}

/** See the head of this file. */
export class Workers {
  readonly #workers: readonly Worker[];

  /** @param nodePaths The program of each worker: a path of Node; undefined: this one. */
  constructor(nodePaths: readonly (string | undefined)[]) {
    const main = fileURLToPath(new URL(`worker${import.meta.url.slice(-3)}`, import.meta.url));
    this.#workers = nodePaths.map((execPath = process.execPath) => {
      const child = fork(main, { execPath, serialization: 'advanced' });
      const worker: Worker = { child, waiting: [], cpuMs: 0 };
      child.on('message', (answer: WorkerAnswer) => {
        worker.cpuMs = answer.cpuMs;
        worker.waiting.shift()?.resolve(answer.result);
      });
      child.on('exit', (code, signal) => {
        const error = new WorkerEnded(`a worker ended with ${signal ?? `exit code ${code}`}`);
        for (const each of worker.waiting.splice(0)) each.reject(error);
      });
      return worker;
    });
  }

  get count(): number {
    return this.#workers.length;
  }

  /** Processor time of all workers. */
  get cpuMs(): number {
    return this.#workers.reduce((sum, worker) => sum + worker.cpuMs, 0);
  }

  /**
   * Runs a seed on the worker of this number.
   *
   * @throws WorkerEnded
   */
  run(number: number, task: WorkerTask): Promise<RunResult> {
    const worker = must(this.#workers[number % this.count], 'worker');
    const answer = deferred<RunResult>();
    // Whoever asked may have stopped listening.
    answer.promise.catch(() => undefined);
    worker.waiting.push(answer);
    worker.child.send(task, (error) => {
      if (error !== null) answer.reject(new WorkerEnded(error.message, { cause: error }));
    });
    return answer.promise;
  }

  /** Ends the workers, whatever they are doing. */
  close(): void {
    for (const { child } of this.#workers) child.kill();
  }
}
