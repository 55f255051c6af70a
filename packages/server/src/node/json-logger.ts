/** Log lines in the shape of zap's JSON encoder, as etcd writes them: level, ts, caller, msg, fields. */
import { idToHex } from '@etcd-ts/base';
import { type Level, pino } from 'pino';
import type { LogFields, Logger } from '../logger.ts';
import type { LogLevel } from './flags/program.ts';

/** Levels that the node does not use itself; fatal is the bin's. */
export interface JsonLogger extends Logger {
  fatal(message: string, fields?: LogFields): void;
}

/**
 * Writes to a file descriptor, line by line, at once.
 *
 * @param fd 2 is stderr, where etcd logs.
 */
export function jsonLogger(level: LogLevel, fd = 2): JsonLogger {
  const sink = pino(
    {
      level: level === 'panic' || level === 'dpanic' ? 'fatal' : level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${new Date().toISOString().replace('Z', '000Z')}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd, sync: true }),
  );
  const write = (at: Level, message: string, fields: LogFields = {}): void => {
    if (!sink.isLevelEnabled(at)) return;
    sink[at]({ caller: caller(), ...plain(fields) }, message);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    fatal: (message, fields) => write('fatal', message, fields),
  };
}

/** Ids as etcd prints them, errors as their text. */
function plain(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, plainValue(value)]),
  );
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return idToHex(value);
  if (value instanceof Error) return errorText(value);
  if (Array.isArray(value)) return value.map(plainValue);
  return value;
}

function errorText(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}: ${errorText(error.cause)}`
    : error.message;
}

/** Folder and file of the line that logs, with its number: `peers/peer-link.ts:120`. */
function caller(): string {
  const lines = (new Error().stack ?? '').split('\n');
  // Error, caller, write, the level's method, then whoever called it.
  const match = /([^/\\]+[/\\][^/\\]+:\d+):\d+\)?$/.exec(lines[4] ?? '');
  return match?.[1] ?? 'unknown';
}
