import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** How long a member may take from its start to the line that says that it serves. */
export const START_LIMIT_MS = 60_000;

/** The line that etcd writes when clients may come. */
const READY_LINE = 'ready to serve client requests';

/** Lines of a member's log kept for messages of failures. */
const KEPT_LOG_LINES = 400;

/** One line of a member's log, as zap writes it. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A member as a process of its own: etcd-ts or real etcd, with the same flags. */
export class Member {
  readonly name: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly dataDir: string;
  /** The newest lines of its log, over all its runs. */
  readonly log: string[] = [];
  /** Program and all its arguments. */
  readonly command: readonly string[];
  #child: ChildProcess | undefined;

  constructor(spec: {
    readonly name: string;
    readonly clientUrl: string;
    readonly peerUrl: string;
    readonly dataDir: string;
    /** Program and all its arguments. */
    readonly command: readonly string[];
  }) {
    this.name = spec.name;
    this.clientUrl = spec.clientUrl;
    this.peerUrl = spec.peerUrl;
    this.dataDir = spec.dataDir;
    this.command = spec.command;
  }

  /** Where clients reach it, as etcdctl wants it. */
  get endpoint(): string {
    return this.clientUrl.replace(/^https?:\/\//, '');
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process; resolves when it serves, rejects with its log when it ends or hangs before that. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} is already running`);
    const [program, ...flags] = this.command as [string, ...string[]];
    const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    await this.#untilReady(child);
  }

  /** Resolves when the process has ended by itself, with its exit code. */
  async ended(): Promise<number | undefined> {
    if (this.#child === undefined) return undefined;
    const [code] = (await once(this.#child, 'exit')) as [number | null];
    return code ?? undefined;
  }

  /** Ends it at once, as a power cut of this one process would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  #untilReady(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (what: string) =>
        reject(new Error(`${this.name} ${what}:\n${this.log.join('\n')}`));
      const limit = setTimeout(
        () => fail(`is not ready after ${START_LIMIT_MS} ms`),
        START_LIMIT_MS,
      );
      child.once('error', (error) => fail(`cannot be started: ${error.message}`));
      child.once('exit', (code, signal) => {
        clearTimeout(limit);
        fail(`ended with ${signal ?? code} before it served`);
      });
      for (const stream of [child.stdout, child.stderr]) {
        if (stream === null) continue;
        createInterface({ input: stream }).on('line', (line) => {
          this.log.push(line);
          if (this.log.length > KEPT_LOG_LINES) this.log.shift();
          if (!line.includes(READY_LINE)) return;
          clearTimeout(limit);
          resolve();
        });
      }
    });
  }
}

/** Runs a member that is expected to refuse to start; gives its exit code and its log. */
export async function runToExit(
  command: readonly string[],
): Promise<{ code: number | null; lines: LogLine[]; text: string }> {
  const [program, ...flags] = command as [string, ...string[]];
  const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  const lines = text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
  return { code, lines, text };
}
