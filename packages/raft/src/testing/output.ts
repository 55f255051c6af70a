/** Levels of log lines, quietest last; `none` silences a transcript altogether. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal', 'none'] as const;
/** One of them. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A level by its name, in any case.
 *
 * @throws Error when there is no such level.
 */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((name) => name === text.toLowerCase());
  if (level === undefined)
    throw new Error(`log levels must be one of ${LOG_LEVELS.join(' ')}: ${text}`);
  return level;
}

/** What one command prints: lines, some of them log lines, some of them indented. */
export class TranscriptOutput {
  #level: LogLevel = 'debug';
  #indent = '';
  #lines: string[] = [];

  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
  }

  /** At level `none` nothing is kept at all. */
  get quiet(): boolean {
    return this.#level === 'none';
  }

  /** Writes lines as they are. */
  print(text: string): void {
    if (this.quiet) return;
    for (const line of text.split('\n')) this.#lines.push(line === '' ? line : this.#indent + line);
  }

  /** Writes lines whatever the level is: what was asked for by a command of its own. */
  report(text: string): void {
    for (const line of text.split('\n')) this.#lines.push(this.#indent + line);
  }

  /** Writes a log line, if the level lets it through. */
  log(level: LogLevel, text: string): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.#level)) return;
    this.print(`${level.toUpperCase()} ${text}`);
  }

  /** Everything that `body` writes stands two columns deeper. */
  indented(body: () => void): void {
    const outer = this.#indent;
    this.#indent = `${outer}  `;
    try {
      body();
    } finally {
      this.#indent = outer;
    }
  }

  /** Takes what was written; `ok` when that is nothing. */
  take(): string {
    const lines = this.#lines;
    this.#lines = [];
    return lines.length === 0 ? 'ok' : lines.join('\n');
  }
}
