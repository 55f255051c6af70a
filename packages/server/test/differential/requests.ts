/** Draws one request to any service. */
import {
  drawCompaction,
  drawDeleteRange,
  drawPut,
  drawRange,
  drawTxn,
  defused,
} from './kv-requests.ts';
import type { Draw } from './draw.ts';
import { drawLease } from './lease-requests.ts';
import { drawAlarm, drawHashKv } from './maintenance-requests.ts';
import { drawRecipe } from './recipe-requests.ts';
import type { Progress, UnaryStep } from './step.ts';

/** Draws one unary request. */
export function drawUnary(draw: Draw, progress: Progress): UnaryStep {
  return draw.weighted<() => UnaryStep>([
    [30, () => ({ method: 'etcdserverpb.KV/Put', request: drawPut(draw) })],
    [28, () => ({ method: 'etcdserverpb.KV/Range', request: drawRange(draw, progress) })],
    [8, () => ({ method: 'etcdserverpb.KV/DeleteRange', request: drawDeleteRange(draw) })],
    // While NOSPACE is raised, real etcd 3.5 overlooks puts in nested transactions.
    [
      22,
      () => ({
        method: 'etcdserverpb.KV/Txn',
        request: defused(drawTxn(draw, progress, progress.isAlarmed ? 0 : 2)),
      }),
    ],
    [2, () => drawCompaction(draw, progress)],
    [3, () => drawHashKv(draw, progress)],
    [8, () => drawLease(draw)],
    [2, () => drawAlarm(draw, progress)],
    [5, () => drawRecipe(draw, progress)],
  ])();
}
