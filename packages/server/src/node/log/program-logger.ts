/** The program's log: lines in the shape of zap's encoders, as etcd writes them (level, ts, caller, msg, fields). */
import { idToHex } from '@etcd-ts/base';
import { type Level, pino } from 'pino';
import type { LeveledLogger, LogFields, LogLevel } from '../../logger.ts';
import { systemWords } from '../system-words.ts';
import { consoleLine } from './console-line.ts';
import { type LogOutput, standardOutput } from './outputs.ts';
import { Sampling } from './sampling.ts';

/** The log of a program, which knows one level more than a node does. */
export interface ProgramLogger extends LeveledLogger {
  fatal(message: string, fields?: LogFields): void;
  /** Waits for what is still being written, and closes files. */
  close(): Promise<void>;
}

/** How lines look and where they go. */
export interface LogStyle {
  readonly level: LogLevel;
  readonly format: 'json' | 'console';
  readonly outputs: readonly LogOutput[];
}

/** What is used until it is known how to log: etcd's defaults. */
export const DEFAULT_LOG_STYLE: LogStyle = {
  level: 'info',
  format: 'json',
  outputs: [standardOutput('stderr')],
};

/**
 * A logger that writes every line at once, so that a process that ends has said everything. Of a flood of the same
 * message a part is written, see {@link Sampling}.
 */
export function programLogger(
  { level, format, outputs }: LogStyle,
  nowMs: () => number = Date.now,
): ProgramLogger {
  const sampling = new Sampling();
  const write = (line: string): void => {
    const shown = format === 'json' ? line : consoleLine(line);
    for (const output of outputs) output.write(shown);
  };
  const sink = pino(
    {
      level: pinoLevel(level),
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${new Date().toISOString().replace('Z', '000Z')}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  let current = level;
  const say = (at: Level, message: string, fields: LogFields = {}): void => {
    if (!sink.isLevelEnabled(at)) return;
    if (at !== 'fatal' && !sampling.admits(at, message, nowMs())) return;
    // As part of the fields the message keeps its place before them.
    sink[at]({ caller: caller(), msg: message, ...plain(fields) });
  };
  return {
    get level() {
      return current;
    },
    set level(next) {
      current = next;
      sink.level = pinoLevel(next);
    },
    debug: (message, fields) => say('debug', message, fields),
    info: (message, fields) => say('info', message, fields),
    warn: (message, fields) => say('warn', message, fields),
    error: (message, fields) => say('error', message, fields),
    fatal: (message, fields) => say('fatal', message, fields),
    close: async () => {
      for (const output of outputs) await output.close();
    },
  };
}

/** zap has two levels between error and fatal, at which nothing here is logged. */
function pinoLevel(level: LogLevel): Level {
  return level === 'dpanic' || level === 'panic' ? 'fatal' : level;
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

/** The message with those of its causes, where it does not say the same already. */
function errorText({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  const isSaid = message.includes(cause.message) || message.includes(systemWords(cause));
  return isSaid ? message : `${message}: ${errorText(cause)}`;
}

/** Folder and file of the line that logs, with its number: `peers/peer-link.ts:120`. */
function caller(): string {
  const lines = (new Error().stack ?? '').split('\n');
  // Error, caller, say, the level's method, then whoever called it.
  const match = /([^/\\]+[/\\][^/\\]+:\d+):\d+\)?$/.exec(lines[4] ?? '');
  return match?.[1] ?? 'unknown';
}
