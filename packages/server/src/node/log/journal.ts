/** Log lines into systemd's journal, by its own protocol: a datagram of fields for each line. */
import { existsSync } from 'node:fs';
import { StartError } from '../../start-error.ts';
import { unixDatagrams } from '../service/unix-datagram.ts';
import type { LogOutput } from './outputs.ts';

/** Where the journal listens. */
const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** Syslog's priorities for zap's levels. */
const PRIORITIES: Readonly<Record<string, number>> = {
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
  fatal: 2,
};

/**
 * The journal as an output.
 *
 * @param socket Where it listens.
 * @throws StartError BAD_OPTION: there is none on this machine.
 */
export async function journal(socket: string = JOURNAL_SOCKET): Promise<LogOutput> {
  const send = await unixDatagrams();
  if (send === undefined || !existsSync(socket)) {
    const why = `dial unixgram ${socket}: connect: no such file or directory`;
    throw new StartError('BAD_OPTION', `can't find journal (${why})`);
  }
  return {
    write: (line) => {
      try {
        send(socket, Buffer.from(entry(line)));
      } catch {
        // A journal that is down loses lines, and no member ends for that.
      }
    },
    close: () => Promise.resolve(),
  };
}

function entry(line: string): string {
  const level = /"level":"(\w+)"|^\S+\t(\w+)\t/.exec(line);
  const priority = PRIORITIES[level?.[1] ?? level?.[2] ?? 'info'] ?? 6;
  return `PRIORITY=${priority}\nSYSLOG_IDENTIFIER=etcd-ts\nMESSAGE=${line.trimEnd()}\n`;
}
