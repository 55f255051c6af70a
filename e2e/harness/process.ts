/** A server process whose lines, signals and end a test looks at. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LogLine } from './member.ts';

/** How long a line or an end is waited for. */
const LIMIT_MS = 60_000;

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that logs JSON lines. */
export class ServerProcess implements AsyncDisposable {
  readonly lines: LogLine[] = [];
  /** What was no JSON. */
  readonly text: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<End>;
  readonly #waiting = new Set<() => void>();

  constructor(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program, ...flags] = command as [string, ...string[]];
    this.#child = spawn(program, flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#ended = once(this.#child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null)
        createInterface({ input: stream }).on('line', (line) => this.#read(line));
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Messages, in order. */
  get messages(): readonly string[] {
    return this.lines.map(({ msg }) => msg);
  }

  /** Resolves with the first line whose message begins so, now or later. */
  async line(message: string): Promise<LogLine> {
    const limit = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const found = this.lines.find(({ msg }) => msg.startsWith(message));
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const fail = (): void =>
          reject(
            new Error(
              `no line ${message}:\n${JSON.stringify(this.lines)}\n${this.text.join('\n')}`,
            ),
          );
        limit.addEventListener('abort', fail, { once: true });
        this.#waiting.add(resolve);
        void this.#ended.then(() => {
          if (!this.lines.some(({ msg }) => msg.startsWith(message))) fail();
        });
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process has ended and everything that it wrote was read. */
  ended(): Promise<End> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #read(line: string): void {
    try {
      this.lines.push(JSON.parse(line) as LogLine);
    } catch {
      this.text.push(line);
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
