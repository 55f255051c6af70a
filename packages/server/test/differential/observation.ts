/** Who leads an election, as two servers tell it to whoever observes it while something is done. */
import {
  type Channel,
  type LeaderResponse,
  LeaderRequest,
  type StreamCall,
} from '@etcd-ts/protocol';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, errorAnswer, plain } from './answer.ts';

/** How long an answer may stay away before it counts as missing. */
const TIMEOUT_MS = 5_000;

/**
 * Observes an election that has a leader on both servers.
 *
 * @param change Makes the leader say something else, on both.
 * @returns What each told before and after.
 */
export async function observe(
  channels: readonly Channel[],
  name: Uint8Array,
  change: () => Promise<unknown>,
): Promise<readonly [unknown, unknown]> {
  const calls = channels.map((channel) => {
    const call = channel.stream('v3electionpb.Election/Observe');
    call.send(LeaderRequest.fromPartial({ name }));
    call.end();
    return { call, told: call.responses[Symbol.asyncIterator]() };
  });
  try {
    const before = await Promise.all(calls.map(({ told }) => next(told)));
    await change();
    const after = await Promise.all(calls.map(({ told }) => next(told)));
    const [ours, theirs] = [0, 1].map((side) => plain([before[side], after[side]]));
    return [ours, theirs];
  } finally {
    for (const { call } of calls) (call as StreamCall<unknown, unknown>).cancel();
  }
}

async function next(told: AsyncIterator<LeaderResponse>): Promise<Answer | 'nothing'> {
  const answer = told.next().then(({ value, done }) => ({ ok: done === true ? 'the end' : value }));
  return Promise.race([
    answer.catch(errorAnswer),
    pause(TIMEOUT_MS, 'nothing' as const, { ref: false }),
  ]);
}
