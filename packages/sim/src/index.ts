export { MachineClock, MAX_DRIFT_PPM, SimClock, WALL_EPOCH_MS } from './world/clock.ts';
export { drive } from './world/node/drive.ts';
export { NondeterminismError } from './world/node/traps.ts';
export { type Cancellable, SimProcess } from './world/process.ts';
export { hashBytes, hashText, RandomStream } from './world/random.ts';
export { EVENTS_PER_CHECKPOINT, firstDifference, TraceHash } from './world/trace-hash.ts';
export { World, WorldError, type WorldOptions } from './world/world.ts';
