/** Asks a server everything, in the name of every caller. */
import type { Channel } from '@etcd-ts/protocol';
import { type CallerName, CALLERS, outcome, prepare } from './callers.ts';
import { type Row, ROWS } from './rows.ts';

/** What a server told every caller, by row. */
export type Answers = ReadonlyMap<Row, ReadonlyMap<CallerName, string>>;

/** Makes the world of a server and asks everything in every caller's name; callers without a channel are left out. */
export async function ask(
  channelOf: (caller: CallerName) => Channel | undefined,
): Promise<Answers> {
  const first = channelOf('root');
  if (first === undefined) throw new Error('root has no channel');
  const tokens = await prepare(first);
  const answers = new Map<Row, Map<CallerName, string>>();
  for (const row of ROWS) {
    const told = new Map<CallerName, string>();
    answers.set(row, told);
    for (const caller of CALLERS) {
      const channel = channelOf(caller);
      if (channel === undefined) continue;
      told.set(caller, await outcome(channel, row.method, row.ask(caller), tokens.get(caller)));
    }
  }
  return answers;
}
