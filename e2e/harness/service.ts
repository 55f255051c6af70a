import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { START_LIMIT_MS } from './member.ts';

/** A program that runs beside the members until it is stopped: a proxy, a registry. */
export class Service {
  readonly log: string[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, log: string[]) {
    this.#child = child;
    this.log = log;
  }

  /** Starts it; resolves when it has written a line with this in it. */
  static async start(
    command: readonly string[],
    readyLine: string,
    options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
  ): Promise<Service> {
    const [program, ...words] = command as [string, ...string[]];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const log: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string): void =>
        reject(new Error(`${program} ${what}:\n${log.join('\n')}`));
      const limit = setTimeout(() => {
        child.kill('SIGKILL');
        fail(`is not ready after ${START_LIMIT_MS} ms`);
      }, START_LIMIT_MS);
      child.once('exit', (code) => {
        clearTimeout(limit);
        fail(`ended with ${code}`);
      });
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          log.push(line);
          if (!line.includes(readyLine)) return;
          clearTimeout(limit);
          resolve();
        });
      }
    });
    return new Service(child, log);
  }

  /** Ends it and waits. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}
