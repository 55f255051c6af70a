import type { LogFields } from '../../logger.ts';

/** A line for the log, kept until it is known how to log. */
export interface Remark {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields?: LogFields;
}
