/** Structured fields of a log line; values as JSON, bigints printed as etcd prints ids (hexadecimal). */
export type LogFields = Readonly<Record<string, unknown>>;

/** Levels of the log, least first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'] as const;

/** A level of the log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where a node reports. Levels and wording are etcd's where tools wait for a line. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A logger whose least level can be changed while it is in use. */
export interface LeveledLogger extends Logger {
  /** Lines below it are dropped. */
  level: LogLevel;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** The logger itself when it has a level of its own; otherwise one that passes on what is not below its level. */
export function leveled(logger: Logger): LeveledLogger {
  return 'level' in logger ? (logger as LeveledLogger) : new Filter(logger);
}

class Filter implements LeveledLogger {
  level: LogLevel = 'debug';
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#passes('debug')) this.#logger.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#passes('info')) this.#logger.info(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#passes('warn')) this.#logger.warn(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    if (this.#passes('error')) this.#logger.error(message, fields);
  }

  #passes(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(this.level);
  }
}
