/** Compares unary calls of every service, without watches: over gRPC, or through the JSON gateway. */
import { isDeepStrictEqual } from 'node:util';
import type { Channel } from '@etcd-ts/protocol';
import { drawAdmin } from './admin-requests.ts';
import { type Answer, comparable, errorAnswer } from './answer.ts';
import { Draw } from './draw.ts';
import { GatewayChannel } from './gateway-channel.ts';
import { drawUnary } from './requests.ts';
import { type Difference, follow, type RunResult } from './run.ts';
import type { Progress, UnaryStep } from './step.ts';

/** Operations between two moments without alarms. */
const ALARM_ROUND = 40;

/** Drives two empty servers with one seed. */
export async function compareUnary(
  ours: Channel,
  theirs: Channel,
  { seed, operations }: { seed: number; operations: number },
): Promise<RunResult> {
  const draw = new Draw(seed);
  const progress: Progress = {
    revision: 1,
    compactRevision: 0,
    isCompacted: false,
    isAlarmed: false,
    campaigns: new Map(),
  };
  const both = [ours, theirs] as const;
  for (let step = 1; step <= operations; step++) {
    if (step % ALARM_ROUND === 0) await lowerAlarms(both, progress);
    const asked = draw.oneIn(5) ? drawAdmin(draw) : drawUnary(draw, progress);
    const found = await compare(both, asked, progress);
    if (found !== undefined) return { requests: step, difference: { step, ...found } };
  }
  return { requests: operations, difference: undefined };
}

async function compare(
  [left, right]: readonly [Channel, Channel],
  step: UnaryStep,
  progress: Progress,
): Promise<Omit<Difference, 'step'> | undefined> {
  const [a, b] = await Promise.all([ask(left, step), ask(right, step)]);
  follow(step, b, progress);
  const ours = { answer: comparable(step, a), shape: shapeOf(left, step) };
  const theirs = { answer: comparable(step, b), shape: shapeOf(right, step) };
  if (isDeepStrictEqual(ours, theirs)) return undefined;
  // With nothing alive real etcd's hash takes in what a compaction has left on disk.
  const isHash = step.method === 'etcdserverpb.Maintenance/HashKV' && progress.isCompacted;
  return isHash && isDeepStrictEqual(ours.shape, theirs.shape)
    ? undefined
    : { asked: step, ours, theirs };
}

/** What is left of a range that was cut among ties may be of other keys, with other members. */
function shapeOf(channel: Channel, step: UnaryStep): string | undefined {
  if (!(channel instanceof GatewayChannel)) return undefined;
  const isTie = step.method === 'etcdserverpb.KV/Range' || step.method === 'etcdserverpb.KV/Txn';
  return isTie ? channel.lastShape.replaceAll(/^.*kvs\[\].*\n?/gm, '') : channel.lastShape;
}

async function ask(channel: Channel, step: UnaryStep): Promise<Answer> {
  try {
    return { ok: await channel.unary(step.method, step.request) };
  } catch (error) {
    return errorAnswer(error);
  }
}

async function lowerAlarms(channels: readonly Channel[], progress: Progress): Promise<void> {
  for (const channel of channels) {
    for (const memberID of [0n, 7n]) {
      for (const alarm of [1, 2]) {
        await channel.unary('etcdserverpb.Maintenance/Alarm', { action: 2, memberID, alarm });
      }
    }
  }
  progress.isAlarmed = false;
}
