import type { Logger, LogFields } from '@etcd-ts/server';

/** A logger that prints every line with its member's number. */
export function printLogs(member: number): Logger {
  const print =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      const more = fields === undefined ? '' : ` ${describe(fields)}`;
      console.log(`m${member} ${level} ${message}${more}`);
    };
  return { debug: print('debug'), info: print('info'), warn: print('warn'), error: print('error') };
}

function describe(fields: LogFields): string {
  return JSON.stringify(fields, (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString(16);
    return value instanceof Error ? `${value.name}: ${value.message}` : value;
  });
}
