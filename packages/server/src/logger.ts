/** Structured fields of a log line; values as JSON, bigints printed as etcd prints ids (hexadecimal). */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a node reports. Levels and wording are etcd's where tools wait for a line. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
