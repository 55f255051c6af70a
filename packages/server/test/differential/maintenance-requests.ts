/**
 * Draws requests to the Maintenance service that ask for what is stored, and alarms.
 *
 * Left out: a hash at or below a revision that was compacted, as real etcd answers with the one that it took while
 * compacting, whatever was asked.
 */
import { AlarmRequest, HashKVRequest } from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import { revision } from './kv-requests.ts';
import type { Progress, UnaryStep } from './step.ts';

/** Draws a hash. */
export function drawHashKv(draw: Draw, progress: Progress): UnaryStep {
  const asked = revision(draw, progress);
  // At or below a compaction real etcd answers with the hash that it took while compacting, whatever was asked.
  const { isCompacted, compactRevision } = progress;
  const fits = asked > compactRevision || !isCompacted;
  return {
    method: 'etcdserverpb.Maintenance/HashKV',
    request: HashKVRequest.fromPartial({ revision: fits ? asked : progress.revision + 1 }),
  };
}

/** Draws something about alarms. */
export function drawAlarm(draw: Draw, progress: Progress): UnaryStep {
  // One alarm at a time: of two, real etcd 3.5 answers for the one that was raised last.
  const action = draw.weighted([
    [3, 0],
    [progress.isAlarmed ? 0 : 1, 1],
    [4, 2],
  ] as const);
  if (action === 1) progress.isAlarmed = true;
  return {
    method: 'etcdserverpb.Maintenance/Alarm',
    request: AlarmRequest.fromPartial({
      action,
      memberID: draw.pick([0n, 7n]),
      alarm: draw.below(3),
    }),
  };
}
