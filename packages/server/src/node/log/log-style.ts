/** What the logging flags say, checked, as what the logger is made of. */
import { LOG_LEVELS, type LogLevel } from '../../logger.ts';
import { StartError } from '../../start-error.ts';
import { UsageError } from '../flags/command-line.ts';
import type { Program } from '../flags/program.ts';
import { openOutputs } from './outputs.ts';
import type { LogStyle } from './program-logger.ts';
import { readRotation } from './rotating-file.ts';

/**
 * Checks the logging flags and opens what they name.
 *
 * @throws StartError BAD_OPTION, in etcd's words. UsageError for a level that is none: etcd panics, with the exit code
 *   of a bad command line.
 */
export async function logStyle(program: Program): Promise<LogStyle> {
  const { logger, logLevel, logFormat, logOutputs, isLogRotated, logRotation } = program;
  if (logger !== 'zap') throw new StartError('BAD_OPTION', `unknown logger option "${logger}"`);
  if (!LOG_LEVELS.includes(logLevel as LogLevel)) {
    throw new UsageError(`unrecognized level: "${logLevel}"`);
  }
  if (logFormat !== 'json' && logFormat !== 'console') {
    const message = `unknown log format: ${logFormat}, supported values json, console`;
    throw new StartError('BAD_OPTION', message);
  }
  const rotation = isLogRotated ? readRotation(logRotation) : undefined;
  const outputs = await openOutputs(logOutputs, rotation);
  return { level: logLevel as LogLevel, format: logFormat, outputs };
}
